"""A peer's throughput beside ours."""

import pytest

from face_bench.peer_rates import PeerRate, added_up, table
from tests.load_tests.conftest import sweep_step

PEER = PeerRate("some peer", 2, 30, 4.0, 0.01)


def test_the_rates_of_the_processes_are_added_up():
    # Two and a half images a second and one: not all images by all seconds.
    assert added_up([[0.2, 0.6], [1.0, 1.0, 1.0]]) == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("clients", "beside"), [((1, 8, 32), 8), ((1, 2), 2), ((32, 16), 32)], ids=["eight", "fewer", "most"]
)
def test_ours_is_that_of_eight_clients_or_of_the_most(clients, beside):
    made = table([PEER], [sweep_step(n, {}) for n in clients])
    assert made.rows == (
        (f"ours, {beside} clients", "1 server", "20.0", ""),
        ("some peer", "2 processes of one thread", "4.0", "5.00"),
    )


def test_no_table_without_a_peer():
    assert not table([], [sweep_step(8, {})]).rows
