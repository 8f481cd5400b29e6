"""Other detectors beside ours: what counts as found, and whose time is divided by whose."""

import numpy as np
import pytest

from face_bench.alternatives import ALTERNATIVES, agreed, alternatives
from face_bench.contenders import FoundFaces, Measured
from face_bench.latency import Measurements
from face_bench.pictures import Picture

PIXELS = np.zeros((6, 8, 3), np.uint8)
PICTURE = Picture("wall", PIXELS, b"", PIXELS)


def faces(*boxes):
    """As a detector without landmarks of ours gives them."""
    return FoundFaces.of(boxes, [0.9] * len(boxes), [])


@pytest.mark.parametrize(
    ("found", "expected", "counts"),
    [
        ([], [], (0, 0, 0)),
        ([], [(0, 0, 9, 9)], (1, 0, 0)),
        ([(0, 0, 9, 9)], [], (0, 0, 1)),
        # A square on a tall box: 12 of 20 of its area.
        ([(0, 4, 10, 16)], [(0, 0, 10, 20)], (1, 1, 0)),
        ([(0, 4, 10, 13)], [(0, 0, 10, 20)], (1, 0, 1)),
        # Two for one face: the other stands beside it.
        ([(0, 0, 10, 20), (0, 1, 10, 20)], [(0, 0, 10, 20), (50, 0, 60, 20)], (2, 1, 1)),
    ],
)
def test_found_is_what_overlaps_by_half(found, expected, counts):
    assert agreed(faces(*found), faces(*expected)) == counts


def test_rows_have_the_time_by_ours_and_leave_out_who_fell_out():
    measured = {
        ("wall", "ours"): [Measured(seconds, faces((0, 0, 9, 9))) for seconds in (0.1, 0.2, 0.3)],
        ("wall", "quick"): [Measured(seconds, faces()) for seconds in (0.04, 0.05, 0.09)],
        ("wall", "broken"): [Measured(1, faces())],
    }
    measurements = Measurements(measured, {"broken": "it fell over"})
    (row,) = alternatives(measurements, [PICTURE], "ours", ["quick", "broken"])
    assert (row.picture, row.detector) == ("wall", "quick")
    assert row.milliseconds.median == 50
    assert row.ratio == pytest.approx(0.25)
    assert (row.expected, row.found, row.beside) == (1, 0, 0)


def test_every_requirement_is_exact():
    for peer in ALTERNATIVES:
        for requirement in (*peer.requirements, *peer.alone):
            assert "==" in requirement, requirement
