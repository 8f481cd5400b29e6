"""Which boxes are the same face."""

import numpy as np

from face_tools.matching import iou, match


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
    assert match(box, np.array([[0, 0, 100, 90 + 1e-5]]), 0.9) == [(0, 0)]
    assert match(box, np.array([[0, 0, 100, 90 - 1e-5]]), 0.9) == []


def test_each_face_is_used_once_and_the_best_overlap_wins():
    first = np.array([[0, 0, 100, 98], [0, 0, 100, 100]], float)
    second = np.array([[0, 0, 100, 100]], float)
    assert match(first, second, 0.9) == [(1, 0)]


def test_nothing_matches_nothing():
    none, one = np.zeros((0, 4)), np.array([[0.0, 0.0, 9.0, 9.0]])
    assert match(none, none, 0.5) == match(none, one, 0.5) == match(one, none, 0.5) == []
    assert iou(none, one).shape == (0, 1)
