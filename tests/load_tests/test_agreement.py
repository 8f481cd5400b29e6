"""Whether two sides found the same faces."""

import numpy as np
import pytest

from face_bench.agreement import MATCH_IOU, Unmatched, compare, iou, match
from face_bench.faces import FoundFaces

NOTHING = FoundFaces.of([], [], [])


def faces(*boxes, probability=0.99):
    """Faces with the landmarks in the middle of each box."""
    boxes = np.array(boxes, float)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    return FoundFaces.of(boxes, [probability] * len(boxes), np.repeat(centers[:, None], 5, axis=1))


def slow_iou(a, b):
    """On a grid of whole pixels."""
    canvas = np.zeros((2, 60, 60), bool)
    for layer, (x1, y1, x2, y2) in zip(canvas, (a, b), strict=True):
        layer[y1:y2, x1:x2] = True
    return canvas.all(axis=0).sum() / canvas.any(axis=0).sum()


def test_overlap_is_that_of_counted_pixels():
    random = np.random.RandomState(1)
    corners = random.randint(0, 30, (12, 2))
    boxes = np.hstack([corners, corners + random.randint(1, 30, (12, 2))])
    expected = [[slow_iou(a, b) for b in boxes[:5]] for a in boxes]
    np.testing.assert_allclose(iou(boxes.astype(float), boxes[:5].astype(float)), expected)


def test_the_threshold_is_met_from_both_sides():
    box = np.array([[0.0, 0.0, 100.0, 100.0]])
    assert match(box, np.array([[0, 0, 100, 100 * MATCH_IOU + 1e-5]])) == [(0, 0)]
    assert match(box, np.array([[0, 0, 100, 100 * MATCH_IOU - 1e-5]])) == []


def test_each_face_is_used_once_and_the_best_overlap_wins():
    first = np.array([[0, 0, 100, 98], [0, 0, 100, 100]], float)
    second = np.array([[0, 0, 100, 100]], float)
    assert match(first, second) == [(1, 0)]


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
