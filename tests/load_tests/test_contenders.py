"""Whether two sides found the same faces."""

import numpy as np
import pytest

from face_bench.contenders import FoundFaces, Unmatched, compare

NOTHING = FoundFaces.of([], [], [])


def faces(*boxes, probability=0.99):
    """Faces with the landmarks in the middle of each box."""
    boxes = np.array(boxes, float)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    return FoundFaces.of(boxes, [probability] * len(boxes), np.repeat(centers[:, None], 5, axis=1))


def test_the_largest_landmark_distance_is_of_matched_faces():
    ours, theirs = faces((0, 0, 40, 40), (200, 0, 240, 40)), faces((0, 0, 40, 40), (300, 0, 340, 40))
    ours.landmarks[0, 3] += (3, 4)
    agreement = compare("wall", "ours", ours, "theirs", theirs)
    assert agreement.matched == 1
    assert agreement.largest_landmark_distance == pytest.approx(5)
    assert agreement.unmatched == (
        Unmatched("ours", (200, 0, 240, 40), 0.99),
        Unmatched("theirs", (300, 0, 340, 40), 0.99),
    )


@pytest.mark.parametrize(("ours", "theirs"), [(NOTHING, NOTHING), (NOTHING, faces((0, 0, 9, 9)))])
def test_nobody_found_anything(ours, theirs):
    agreement = compare("wall", "ours", ours, "theirs", theirs)
    assert agreement.matched == 0
    assert agreement.largest_landmark_distance is None
    assert len(agreement.unmatched) == len(theirs)
