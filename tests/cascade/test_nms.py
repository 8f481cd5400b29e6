"""NMS against slow, obvious loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face_cascade import suppression
from face_cascade.suppression import by_score, nms, nms_min, nms_within


def iou(a, b):
    inter = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def over_smaller(a, b):
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]) + 1)
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]) + 1)
    smaller = min((x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b))
    return width * height / smaller


def slow_nms(boxes, order, overlap, threshold):
    kept = []
    for i in order:
        # As float32, like the boxes: 7/10 is not above a threshold of 0.7. Nor is what two empty boxes have, NaN.
        with np.errstate(invalid="ignore"):
            if not any(np.float32(overlap(boxes[i], boxes[k])) > threshold for k in kept):
                kept.append(i)
    return kept


@st.composite
def scored_boxes(draw):
    n = draw(st.integers(0, 60))
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    starts = rng.randint(0, 60, (n, 2))
    # Whole numbers: some touch, some are empty.
    boxes = np.concatenate([starts, starts + rng.randint(0, 40, (n, 2))], axis=1)
    # Few values, so that scores tie.
    return boxes.astype(np.float32), (rng.randint(0, 8, n) / 8).astype(np.float32)


@settings(deadline=None)
@given(scored_boxes(), st.sampled_from([0.3, 0.5, 0.7]))
def test_nms(given_boxes, threshold):
    boxes, scores = given_boxes
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    expected = slow_nms(boxes.astype(np.float64), order, iou, np.float32(threshold))
    assert nms(boxes, scores, threshold).tolist() == expected


@settings(deadline=None)
@given(scored_boxes(), st.sampled_from([0.3, 0.5, 0.7]))
def test_nms_min(given_boxes, threshold):
    boxes, scores = given_boxes
    order = sorted(range(len(boxes)), key=lambda i: (-scores[i], -i))
    expected = slow_nms(boxes.astype(np.float64), order, over_smaller, np.float32(threshold))
    assert nms_min(boxes, scores, threshold).tolist() == expected


@settings(deadline=None)
@given(scored_boxes(), st.sampled_from([0.3, 0.5, 0.7]), st.integers(0, 2**32 - 1))
def test_nms_within(given_boxes, threshold, seed):
    """Group by group. Numbers of groups need not be dense, and are of 16 bits where they are sorted."""
    boxes, scores = given_boxes
    groups = np.sort(np.random.RandomState(seed).choice([0, 1, 2, 300, 65_535], len(boxes))).astype(np.intp)
    expected = []
    for group in sorted(set(groups.tolist())):
        members = sorted(np.flatnonzero(groups == group).tolist(), key=lambda i: (-scores[i], i))
        expected += slow_nms(boxes.astype(np.float64), members, iou, np.float32(threshold))
    assert nms_within(groups, boxes, scores, threshold).tolist() == sorted(expected)


def many_boxes(kind, count, seed):
    """As cells of one level, as squares of all levels, or of any shape; some without area, some far outside."""
    random = np.random.default_rng(seed)
    places = random.uniform(-50, 4 * count**0.5, (count, 2))
    if kind == "level":
        places, sides = np.floor(places), 21 + np.repeat(random.integers(0, 2, (count, 1)), 2, 1)
    else:
        sides = np.exp(random.uniform(np.log(0.5), np.log(900), (count, 2 if kind == "any" else 1))) - 0.6
        sides = np.broadcast_to(sides, (count, 2))
    boxes = np.concatenate([places, places + sides], axis=1).astype(np.float32)
    boxes[:: count // 5] += 2e6
    return boxes


@pytest.mark.parametrize("kind", ["level", "squares", "any"])
@pytest.mark.parametrize(("threshold", "plus", "over_smaller"), [(0.3, 0, 0), (0.5, 0, 0), (0.7, 0, 0), (0.7, 1, 1)])
def test_with_the_grid_the_same_boxes_are_kept(kind, threshold, plus, over_smaller):
    for seed, count in enumerate((5, 40, 300, 3000)):
        arguments = (many_boxes(kind, count, seed), np.float32(threshold), np.float32(plus), bool(over_smaller))
        expected = suppression._kept_of_few(*arguments)
        assert suppression._kept_of_many(*arguments).tolist() == expected.tolist()
        assert suppression._kept(*arguments).tolist() == expected.tolist()
    assert 100 < expected.sum() < 2950


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_many_boxes_of_which_one_is_nowhere(value):
    boxes = many_boxes("level", 3000, 1)
    boxes[7, 2] = value
    arguments = (boxes, np.float32(0.5), np.float32(0), False)
    assert suppression._kept(*arguments).tolist() == suppression._kept_of_few(*arguments).tolist()


def test_one_group_is_plain_nms():
    rng = np.random.RandomState(1)
    boxes = np.sort(rng.uniform(0, 50, (300, 2, 2)), axis=1).reshape(300, 4).astype(np.float32)
    scores = rng.uniform(size=300).astype(np.float32)
    kept = nms_within(np.zeros(300, np.intp), boxes, scores, 0.5)
    assert kept.tolist() == sorted(nms(boxes, scores, 0.5).tolist())
    assert 10 < len(kept) < 290


def test_groups_without_boxes():
    kept = nms_within(np.empty(0, np.intp), np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.5)
    assert kept.tolist() == []


def test_box_just_past_the_threshold_goes_and_at_it_stays():
    first = [0, 0, 100, 100]
    half = np.array([first, [0, 0, 100, 50]], np.float32)
    past = np.array([first, [0, 0, 100, 50.01]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert nms(half, scores, 0.5).tolist() == [0, 1]
    assert nms(past, scores, 0.5).tolist() == [0]


def test_boxes_without_area_do_not_divide_by_zero():
    boxes = np.zeros((3, 4), np.float32)
    assert nms(boxes, np.ones(3, np.float32), 0.5).tolist() == [0, 1, 2]


def test_equal_scores_keep_their_order():
    assert by_score(np.array([0.5, 1, 0.5, 1], np.float32)).tolist() == [1, 3, 0, 2]
