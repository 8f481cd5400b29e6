"""Annotation of WIDER FACE from generated files in its two formats."""

import numpy as np
import pytest

from face_client import InvalidInput
from face_tools.evaluation.wider_truth import find_truth, read_truth
from tests.standard_sets import write_wider_mat, write_wider_text

EVENTS = {
    "0--Parade": {"0_Parade_1": [[10, 20, 30, 40], [50, 60, 7, 8], [1, 2, 3, 4]], "0_Parade_2": []},
    "1--Handshaking": {"1_Handshaking_7": [[5, 6, 100, 200]]},
}
SUBSETS = {
    "easy": {"1_Handshaking_7": [1]},
    "medium": {"0_Parade_1": [2], "1_Handshaking_7": [1]},
    "hard": {"0_Parade_1": [1, 2], "1_Handshaking_7": [1]},
}


@pytest.fixture
def mat(tmp_path):
    folder = tmp_path / "ground_truth"
    write_wider_mat(folder, EVENTS, SUBSETS)
    return folder


def test_the_tools_files(mat):
    truth = read_truth(mat)
    assert truth.subsets == ("easy", "medium", "hard")
    assert list(truth.pictures) == [
        "0--Parade/0_Parade_1.jpg",
        "0--Parade/0_Parade_2.jpg",
        "1--Handshaking/1_Handshaking_7.jpg",
    ]
    parade = truth.pictures["0--Parade/0_Parade_1.jpg"]
    assert parade.boxes.tolist() == [[10, 20, 40, 60], [50, 60, 57, 68], [1, 2, 4, 6]]
    assert {name: mask.tolist() for name, mask in parade.counted.items()} == {
        "easy": [False, False, False],
        "medium": [False, True, False],
        "hard": [True, True, False],
    }
    empty = truth.pictures["0--Parade/0_Parade_2.jpg"]
    assert empty.boxes.shape == (0, 4)
    assert empty.counted["hard"].shape == (0,)


def test_the_text_marks_invalid_faces_and_those_without_a_size(tmp_path):
    path = tmp_path / "wider_face_val_bbx_gt.txt"
    events = {**EVENTS, "2--Group": {"2_Group_1": [[1, 1, 0, 9], [2, 2, 9, 9], [3, 3, 9, 9]]}}
    write_wider_text(path, events, invalid={("2_Group_1", 1)})
    truth = read_truth(path)
    assert truth.subsets == ("all",)
    assert len(truth.pictures) == 4
    assert truth.pictures["0--Parade/0_Parade_1.jpg"].boxes.tolist() == [
        [10, 20, 40, 60],
        [50, 60, 57, 68],
        [1, 2, 4, 6],
    ]
    assert truth.pictures["0--Parade/0_Parade_2.jpg"].boxes.shape == (0, 4)
    assert truth.pictures["2--Group/2_Group_1.jpg"].counted["all"].tolist() == [False, False, True]


def test_text_of_others_has_a_byte_order_mark_windows_lines_and_no_line_for_no_face(tmp_path):
    lines = [
        "a/none.jpg",
        "0",
        "a/one.jpg",
        "1",
        "10 20 30 40 0 0 0 0 0 0",
        "a/zeros.jpg",
        "0",
        "0 " * 10,
        "a/last.jpg",
        "0",
    ]
    (tmp_path / "gt.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    pictures = read_truth(tmp_path / "gt.txt").pictures
    assert {name: len(picture.boxes) for name, picture in pictures.items()} == {
        "a/none.jpg": 0,
        "a/one.jpg": 1,
        "a/zeros.jpg": 0,
        "a/last.jpg": 0,
    }


def test_both_formats_say_the_same(mat, tmp_path):
    write_wider_text(tmp_path / "gt.txt", EVENTS)
    tools, text = read_truth(mat), read_truth(tmp_path / "gt.txt")
    assert list(tools.pictures) == list(text.pictures)
    for name, picture in tools.pictures.items():
        np.testing.assert_array_equal(picture.boxes, text.pictures[name].boxes)


def test_the_tools_files_come_first(tmp_path):
    with pytest.raises(InvalidInput, match="no ground truth in"):
        find_truth(tmp_path)
    text = tmp_path / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    write_wider_text(text, EVENTS)
    assert find_truth(tmp_path) == text
    write_wider_mat(tmp_path / "eval_tools" / "ground_truth", EVENTS, {"easy": {}, "medium": {}})
    assert find_truth(tmp_path) == text, "one of the four files is missing"
    write_wider_mat(tmp_path / "eval_tools" / "ground_truth", EVENTS, SUBSETS)
    assert find_truth(tmp_path) == tmp_path / "eval_tools" / "ground_truth"


@pytest.mark.parametrize("number", [0, 4])
def test_numbers_of_faces_that_are_not_there(tmp_path, number):
    write_wider_mat(tmp_path, EVENTS, {**SUBSETS, "hard": {"0_Parade_1": [number]}})
    with pytest.raises(InvalidInput, match="does not fit together"):
        read_truth(tmp_path)


def test_files_of_another_kind(mat, tmp_path):
    (mat / "wider_hard_val.mat").write_bytes(b"no MATLAB file, but long enough to look at" * 20)
    with pytest.raises(InvalidInput, match=r"wider_hard_val.mat is no MATLAB file"):
        read_truth(mat)
    write_wider_mat(mat, EVENTS, SUBSETS)
    (mat / "wider_hard_val.mat").write_bytes((mat / "wider_face_val.mat").read_bytes())
    with pytest.raises(InvalidInput, match=r"wider_hard_val.mat has no gt_list"):
        read_truth(mat)
    with pytest.raises(FileNotFoundError):
        read_truth(tmp_path / "nothing.txt")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a/b.jpg\n1\n", 1),
        ("a/b.jpg\nmany\n", 1),
        ("a/b.jpg\n1\n1 2 3\n", 1),
        ("a/b.jpg\n1\n1 2 3 4 0 0 0 0 0 0\nc/d.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", 4),
    ],
)
def test_text_that_ends_early(tmp_path, text, line):
    path = tmp_path / "gt.txt"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=f"gt.txt, line {line}: what follows"):
        read_truth(path)
