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


# What the other limits are tried with: a face or two.
FEW = Gate(accept_few=True)


def failures(gate, live, candidate):
    return gate.failures(compare([live], [candidate]), {}, {})


def row(count):
    return answer(*((200 * i, 0, 200 * i + 100, 100) for i in range(count)))


def test_agreement_at_its_limit():
    assert failures(FEW, row(10), row(9)) == []
    assert failures(FEW, row(10), row(8)) == ["agreement is 0.800, must be at least 0.9"]
    assert failures(FEW, row(8), row(10)) == ["agreement is 0.800, must be at least 0.9"]
    assert failures(Gate(), row(10), row(8)) == ["agreement is 0.800, must be at least 0.9"]
    assert failures(Gate(min_agreement=None), row(10), row(8)) == []


def test_an_agreement_has_to_be_shown():
    assert failures(Gate(), row(25), row(25)) == []
    assert failures(Gate(), row(7), row(7)) == [
        "these faces, 7 in all, show an agreement of 0.721 at 95% confidence, must be at least 0.9: "
        "give pictures with at least 25 faces in all, or judge by these all the same with --accept-few"
    ]
    # Missing and extra faces count alike.
    for live, candidate in ((row(100), row(93)), (row(93), row(100))):
        assert failures(Gate(), live, candidate) == [
            "these faces, 100 in all, show an agreement of 0.876 at 95% confidence, must be at least 0.9: "
            "give pictures with at least 271 faces in all, or judge by these all the same with --accept-few"
        ]
    assert "no number of faces" in failures(Gate(min_agreement=1), row(25), row(25))[0]
    assert failures(Gate(min_agreement=1, accept_few=True), row(25), row(25)) == []
    same = compare([row(7)], [row(7)])
    assert Gate().doubts(same, {}, {}) == FEW.doubts(same, {}, {}) != []


def test_landmarks_that_move():
    assert failures(FEW, answer(FACE), answer(FACE, shift=4.9)) == []
    assert failures(FEW, answer(FACE), answer(FACE, shift=5.1)) == [
        "landmarks move by 0.051 of a face's width, may move by 0.05"
    ]


def test_a_candidate_that_is_slow():
    assert failures(FEW, answer(FACE), answer(FACE, seconds=1.49)) == []
    assert failures(FEW, answer(FACE), answer(FACE, seconds=3)) == ["it takes 3.00 times as long, may take 1.5 times"]


def on_labels(gate, live, candidate, faces=1000):
    """Failures for (average precision, recall) of both sides. What the weaker one finds the other finds too."""
    same = compare([row(30)], [row(30)])
    old, new = (Accuracy(precision, np.arange(faces) < recall * faces, 0) for precision, recall in (live, candidate))
    return gate.failures(same, {"all": old}, {"all": new})


def test_accuracy_may_fall_by_little():
    assert on_labels(Gate(), (0.8, 0.9), (0.795, 0.897)) == []
    assert on_labels(Gate(), (0.8, 0.9), (0.9, 1.0)) == []
    assert on_labels(Gate(), (0.8, 0.9), (0.7, 0.9)) == [
        "average precision on the labels (all) falls from 0.800 to 0.700, may fall by 0.01"
    ]
    assert on_labels(Gate(), (0.8, 0.9), (0.8, 0.8)) == [
        "recall on the labels (all) falls from 0.900 to 0.800, may fall by 0.01"
    ]
    assert on_labels(Gate(max_loss=0.2), (0.8, 0.9), (0.7, 0.8)) == []


def test_what_recall_loses_has_to_be_shown():
    kept = (0.8, 0.9), (0.8, 0.9)
    assert on_labels(Gate(), *kept, faces=268) == []
    assert on_labels(Gate(), *kept, faces=267) == [
        "these faces, 267 in all, 0 lost and 0 gained, do not show at 95% confidence that recall on the labels (all) "
        "falls by 0.01 at most: give pictures with at least 268 faces in all, or judge by these all the same with "
        "--accept-few"
    ]
    assert on_labels(FEW, *kept, faces=10) == []


def test_recall_that_is_asked_for():
    assert on_labels(Gate(min_recall=0.9), (0.8, 0.9), (0.8, 0.9)) == []
    assert on_labels(Gate(min_recall=0.95), (0.8, 0.9), (0.8, 0.9)) == [
        "recall on the labels (all) is 0.900, must be at least 0.95"
    ]


def test_a_subset_without_faces_fails_nobody():
    same = compare([row(30)], [row(30)])
    nothing = {"hard": Accuracy(0.0, np.zeros(0, bool), 3)}
    assert Gate(min_recall=0.9).failures(same, nothing, nothing) == []


@pytest.mark.parametrize("limit", ["min_agreement", "max_loss", "min_recall", "max_landmark_shift", "max_slowdown"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_limit_that_nothing_fails_is_no_limit(limit, value):
    with pytest.raises(DeployError, match=f"{limit} of the gate is {value}"):
        Gate(**{limit: value})


def test_a_candidate_whose_numbers_are_nan_keeps_no_limit():
    nan = float("nan")
    assert failures(FEW, answer(FACE), answer(FACE, shift=nan)) == [
        "landmarks move by nan of a face's width, may move by 0.05"
    ]
    assert failures(FEW, answer(FACE), answer(FACE, seconds=nan)) == ["it takes nan times as long, may take 1.5 times"]
    assert len(on_labels(Gate(min_recall=0.9), (0.8, 0.9), (nan, nan))) == 3
