"""Which boxes are the same face: against pixels, formulas, and every possible choice."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face_tools.matching import assign, distance_iou, iou, match


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


def assign_slowly(affinity, least):
    """The largest sum above `least`, over all choices of pairs."""
    rows, columns = affinity.shape
    choices = [
        sum(affinity[row, column] - least for row, column in zip(some_rows, some_columns, strict=True))
        for count in range(min(rows, columns) + 1)
        for some_rows in combinations(range(rows), count)
        for some_columns in permutations(range(columns), count)
        if all(affinity[row, column] >= least for row, column in zip(some_rows, some_columns, strict=True))
    ]
    return max(choices)


@settings(deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 10_000), st.sampled_from([-0.5, 0.0, 0.4]))
def test_no_choice_of_pairs_is_better(rows, columns, seed, least):
    affinity = np.random.RandomState(seed).uniform(-1, 1, (rows, columns))
    pairs = assign(affinity, least)
    assert all(affinity[pair] > least for pair in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert sum(affinity[pair] - least for pair in pairs) == pytest.approx(assign_slowly(affinity, least))


def test_the_sum_counts_and_not_the_best_pair():
    assert assign(np.array([[0.9, 0.8], [0.8, 0.1]]), 0.0) == [(0, 1), (1, 0)]


def test_pairs_at_the_limit_are_left_out():
    affinity = np.array([[0.5, 0.5 + 1e-5]])
    assert assign(affinity, 0.5) == [(0, 1)]
    assert assign(affinity, 0.5 + 1e-5) == []


def distance_iou_slowly(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    overlap = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - overlap
    distance = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    return overlap / union - distance / diagonal


def test_distance_iou_is_its_formula():
    random = np.random.RandomState(3)
    corners = random.uniform(0, 100, (2, 30, 2))
    a, b = np.concatenate([corners, corners + random.uniform(1, 60, (2, 30, 2))], axis=2)
    expected = [[distance_iou_slowly(one, other) for other in b] for one in a]
    np.testing.assert_allclose(distance_iou(a, b), expected)


def test_distance_iou_of_equal_and_of_neighbouring_and_of_far_boxes():
    box, right = np.array([[10.0, 10, 20, 20]]), np.array([1, 0, 1, 0])
    for moved, expected in ((0, 1), (10, -0.2), (1e6, -1)):
        assert distance_iou(box, box + moved * right) == pytest.approx(expected, abs=1e-3)


def test_boxes_without_an_area_and_no_boxes():
    point = np.array([[5.0, 5, 5, 5]])
    assert distance_iou(point, point) == 0
    assert distance_iou(point, np.array([[9.0, 9, 1, 1]])) <= 0
    assert distance_iou(np.zeros((0, 4)), point).shape == (0, 1)
    assert assign(np.zeros((0, 3)), 0.0) == []
