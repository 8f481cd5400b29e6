"""Numbers of a comparison, and the gate that they must pass."""

import numpy as np
import pytest

from face_admin.deploy.command import comparison_rows
from face_admin.deploy.comparison import Accuracy, Answer, Gate, compare
from face_admin.deploy.errors import DeployError


def answer(*boxes, shift=0.0, seconds=1.0):
    """Faces with landmarks in the middle of each box, moved to the right by so many pixels."""
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 + np.float32([shift, 0])
    landmarks = np.repeat(middle[:, None], 5, axis=1)
    return Answer(boxes, landmarks, np.full(len(boxes), 0.9, np.float32), seconds)


FACE, NEAR, FAR = (0, 0, 100, 100), (0, 0, 100, 80), (500, 0, 600, 100)


def test_equal_answers_agree():
    same = compare([answer(FACE, FAR), answer()], [answer(FACE, FAR), answer()])
    assert (same.pictures, same.faces, same.matched, same.tight) == (2, (2, 2), 2, 2)
    assert same.agreement == same.tight_agreement == 1
    assert same.landmark_shift == 0
    assert same.slowdown == 1


def test_faces_that_only_one_finds_count_once():
    comparison = compare([answer(FACE, FAR)], [answer(NEAR)])
    assert comparison.matched == 1
    assert comparison.agreement == pytest.approx(1 / 2)
    assert comparison.tight_agreement == 0
    # The landmarks are 10 pixels higher in the lower box.
    assert comparison.landmark_shift == pytest.approx(0.1)


def test_faces_are_not_matched_across_pictures():
    assert compare([answer(FACE), answer()], [answer(), answer(FACE)]).agreement == 0


def test_nothing_found():
    comparison = compare([answer()], [answer()])
    assert comparison.agreement is comparison.tight_agreement is comparison.landmark_shift is None
    assert Gate().failures(comparison, {}, {}) == [
        "no face of these pictures is found by both networks, live and candidate"
    ]
    assert all(len(row) == 3 for row in comparison_rows(comparison, {}, {}))


def failures(gate, live, candidate):
    return gate.failures(compare([live], [candidate]), {}, {})


def test_agreement_at_its_limit():
    live = answer(*((200 * i, 0, 200 * i + 100, 100) for i in range(10)))
    nine = answer(*((200 * i, 0, 200 * i + 100, 100) for i in range(9)))
    eight = answer(*((200 * i, 0, 200 * i + 100, 100) for i in range(8)))
    assert failures(Gate(), live, nine) == []
    assert failures(Gate(), live, eight) == ["agreement is 0.800, must be at least 0.9"]
    assert failures(Gate(min_agreement=None), live, eight) == []


def test_landmarks_that_move():
    assert failures(Gate(), answer(FACE), answer(FACE, shift=4.9)) == []
    assert failures(Gate(), answer(FACE), answer(FACE, shift=5.1)) == [
        "landmarks move by 0.051 of a face's width, may move by 0.05"
    ]


def test_a_candidate_that_is_slow():
    assert failures(Gate(), answer(FACE), answer(FACE, seconds=1.49)) == []
    assert failures(Gate(), answer(FACE), answer(FACE, seconds=3)) == [
        "it takes 3.00 times as long, may take 1.5 times"
    ]


def on_labels(gate, live, candidate):
    """Failures for (average precision, recall) of both sides, on ten labelled faces."""
    same = compare([answer(FACE)], [answer(FACE)])
    return gate.failures(same, {"all": Accuracy(10, *live, 0)}, {"all": Accuracy(10, *candidate, 0)})


def test_accuracy_may_fall_by_little():
    assert on_labels(Gate(), (0.8, 0.9), (0.795, 0.895)) == []
    assert on_labels(Gate(), (0.8, 0.9), (0.9, 1.0)) == []
    assert on_labels(Gate(), (0.8, 0.9), (0.7, 0.9)) == [
        "average precision on the labels (all) falls from 0.800 to 0.700, may fall by 0.01"
    ]
    assert on_labels(Gate(max_loss=0.2), (0.8, 0.9), (0.7, 0.8)) == []


def test_recall_that_is_asked_for():
    assert on_labels(Gate(min_recall=0.9), (0.8, 0.9), (0.8, 0.9)) == []
    assert on_labels(Gate(min_recall=0.95), (0.8, 0.9), (0.8, 0.9)) == [
        "recall on the labels (all) is 0.900, must be at least 0.95"
    ]


def test_a_subset_without_faces_fails_nobody():
    same = compare([answer(FACE)], [answer(FACE)])
    nothing = {"hard": Accuracy(0, 0.0, 0.0, 3)}
    assert Gate(min_recall=0.9).failures(same, nothing, nothing) == []


@pytest.mark.parametrize("limit", ["min_agreement", "max_loss", "min_recall", "max_landmark_shift", "max_slowdown"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_limit_that_nothing_fails_is_no_limit(limit, value):
    with pytest.raises(DeployError, match=f"{limit} of the gate is {value}"):
        Gate(**{limit: value})


def test_a_candidate_whose_numbers_are_nan_keeps_no_limit():
    nan = float("nan")
    assert failures(Gate(), answer(FACE), answer(FACE, shift=nan)) == [
        "landmarks move by nan of a face's width, may move by 0.05"
    ]
    assert failures(Gate(), answer(FACE), answer(FACE, seconds=nan)) == [
        "it takes nan times as long, may take 1.5 times"
    ]
    assert len(on_labels(Gate(min_recall=0.9), (0.8, 0.9), (nan, nan))) == 3
