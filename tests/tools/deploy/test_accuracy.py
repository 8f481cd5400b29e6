"""Accuracy on labels, against counting by hand."""

import numpy as np
import pytest

from face_admin.deploy.comparison import Answer, accuracy
from face_tools.evaluation.wider_truth import read_truth

LABELS = """\
a/one.jpg
2
10 10 40 40 0 0 0 0 0 0
100 10 40 40 0 0 0 0 0 0
a/none.jpg
0
0 0 0 0 0 0 0 0 0 0
"""


def answer(*faces):
    """Each x1, y1, x2, y2, probability."""
    table = np.array(faces, np.float32).reshape(-1, 5)
    return Answer(table[:, :4], np.zeros((len(table), 5, 2), np.float32), table[:, 4])


@pytest.fixture
def truth(tmp_path):
    (tmp_path / "labels.txt").write_text(LABELS)
    return read_truth(tmp_path / "labels.txt")


def test_one_of_two_faces_and_one_that_is_none(truth):
    found = {"a/one.jpg": answer((11, 10, 51, 50, 0.9), (300, 300, 340, 340, 0.8)), "a/none.jpg": answer()}
    result = accuracy(found, truth)["all"]
    assert (result.faces, result.recall, result.false) == (2, 0.5, 1)
    # The likelier one is right: precision 1 up to a recall of a half.
    assert result.average_precision == pytest.approx(0.5)


def test_everything_found(truth):
    found = {"a/one.jpg": answer((10, 10, 50, 50, 0.9), (100, 10, 140, 50, 0.8))}
    result = accuracy(found, truth)["all"]
    assert (result.recall, result.false) == (1, 0)
    assert result.average_precision == pytest.approx(1)


def test_nothing_found(truth):
    result = accuracy({"a/one.jpg": answer()}, truth)["all"]
    assert (result.faces, result.recall, result.average_precision, result.false) == (2, 0, 0, 0)
