"""A peer's throughput beside ours."""

import pytest

from face_bench.peer_rates import PeerRate, added_up, table

PEER = PeerRate("some peer", 2, 5, 30, 4.0, 20.0, 5.1, 0.01)


def test_the_rates_of_the_processes_are_added_up():
    # Two and a half images a second and one: not all images by all seconds.
    assert added_up([[0.2, 0.6], [1.0, 1.0, 1.0]]) == pytest.approx(3.5)


def test_ours_stands_beside_the_peer():
    made = table([PEER])
    assert made.rows == (
        ("ours, 8 clients", "1 server", "20.0", ""),
        ("some peer", "2 processes of one thread", "4.0", "5.10"),
    )
    assert "medians of 5 turns, ours and then some peer" in made.notes


def test_no_table_without_a_peer():
    assert not table([]).rows
