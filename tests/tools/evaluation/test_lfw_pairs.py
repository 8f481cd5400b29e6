"""The list of pairs in the format of Labeled Faces in the Wild."""

import pytest

from face_client import InvalidInput
from face_tools.evaluation.lfw import Pair, pictures_of, read_pairs, spread
from tests.standard_sets import write_pairs

FOLDS = [
    [("Ann_Lee", 1, 2), ("Bo", 1, 3), ("Ann_Lee", 1, "Bo", 2), ("Bo", 1, "Cy_Ray", 4)],
    [("Cy_Ray", 4, 12), ("Di", 1, 2), ("Cy_Ray", 1, "Di", 1), ("Di", 2, "Ann_Lee", 2)],
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "pairs.txt"
    write_pairs(path, FOLDS)
    return path


def test_pairs_in_order_with_their_folds(path):
    assert path.read_text().splitlines()[0] == "2\t2"
    pairs = read_pairs(path)
    assert len(pairs) == 8
    assert pairs[0] == Pair("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", True, 0)
    assert pairs[3] == Pair("Bo/Bo_0001.jpg", "Cy_Ray/Cy_Ray_0004.jpg", False, 0)
    assert pairs[4] == Pair("Cy_Ray/Cy_Ray_0004.jpg", "Cy_Ray/Cy_Ray_0012.jpg", True, 1)
    assert [pair.same for pair in pairs] == [True, True, False, False] * 2


def test_one_fold_and_columns_by_spaces(tmp_path):
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("1\r\nAnn_Lee 1 2\r\nAnn_Lee 1 Bo 2\r\n\r\n")
    assert [pair.fold for pair in read_pairs(path)] == [0, 0]


def test_names_with_spaces(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("1\t1\nAnn Lee\t1\t2\nAnn Lee\t1\tBo\t2\n")
    assert read_pairs(path)[0].first == "Ann Lee/Ann Lee_0001.jpg"


def test_a_try_out_has_pairs_of_every_fold_and_kind(path):
    pairs = read_pairs(path)
    assert spread(pairs, None) == pairs
    assert [(pair.fold, pair.same) for pair in spread(pairs, 4)] == [(0, True), (0, False), (1, True), (1, False)]
    assert len(spread(pairs, 1)) == 4
    assert sorted(spread(pairs, 100)) == sorted(pairs)


def test_each_picture_once(path):
    names = pictures_of(read_pairs(path))
    assert len(names) == len(set(names)) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its first line must be the numbers"),
        ("ten\t300\n", "its first line must be the numbers"),
        ("0\t300\n", "its first line must be the numbers"),
        ("1\t1\nAnn\t1\t2\n", r"has 1 pairs; its first line tells of 1 x 2 x 1 = 2"),
        ("1\t1\nAnn\t1\t2\nBo\t1\t2\n", "line 3: expected name, number, name, number, found 'Bo 1 2'"),
        ("1\t1\nAnn\t1\tBo\t2\nAnn\t1\tBo\t2\n", "line 2: expected name, number, number, found 'Ann 1 Bo 2'"),
        ("1\t1\nAnn\t1\tx\nAnn\t1\tBo\t2\n", "line 2: expected name, number, number"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        read_pairs(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "pairs.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InvalidInput, match="its first line must be the numbers"):
        read_pairs(tmp_path / "pairs.txt")
