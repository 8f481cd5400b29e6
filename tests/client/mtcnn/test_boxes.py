"""bboxes and landmarks: small cases that can be checked by hand."""

import numpy as np
import pytest

from face_client.drop_in import InvalidValue
from face_client.mtcnn.utils.bboxes import (
    iou,
    limit_bboxes,
    nms,
    parse_bbox,
    pick_matches,
    resize_to_square,
    smart_nms_from_bboxes,
    sort_by_scores,
    to_json,
)
from face_client.mtcnn.utils.landmarks import parse_landmarks

# Two pictures; in the first the second box is half of the first one, and the third lies apart.
ROWS = np.array(
    [
        [0, 0, 0, 10, 10, 0.6, *range(10)],
        [0, 0, 0, 10, 5, 0.9, *range(10)],
        [0, 20, 20, 40, 30, 0.7, *range(10)],
        [1, -4, 6, 30.6, 90, 0.8, *range(-3, 7)],
    ]
)


def test_overlap_and_suppression():
    np.testing.assert_array_equal(iou(ROWS[:3, 1:5]), [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(iou(ROWS[:3, 1:5].tolist(), "min"), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    with pytest.raises(InvalidValue, match="method is 'max'"):
        iou(ROWS[:, 1:5], "max")
    assert nms(iou(ROWS[:3, 1:5]), 0.4).tolist() == [0, 2]
    assert nms(iou(ROWS[:3, 1:5]), 0.5).tolist() == [0, 1, 2]
    assert smart_nms_from_bboxes(ROWS, 0.4)[:, 5].tolist() == [0.9, 0.7, 0.8]
    assert smart_nms_from_bboxes(ROWS[:0], 0.4).shape == (0, 16)
    assert sort_by_scores(ROWS, ROWS[:, 5])[:, 5].tolist() == [0.6, 0.7, 0.8, 0.9]
    assert pick_matches(ROWS, 5, 0.7)[:, 5].tolist() == [0.9, 0.8]


def test_squares_and_borders():
    np.testing.assert_array_equal(resize_to_square(ROWS)[1:3, 1:5], [[0, -2.5, 10, 7.5], [20, 15, 40, 35]])
    limited = limit_bboxes(ROWS, np.array([[25, 35, 3], [50, 30, 3]]))
    np.testing.assert_array_equal(limited[2, 1:5], [20, 20, 34, 24])
    np.testing.assert_array_equal(limited[3, [1, 2, 3, 4, 6, 15]], [0, 6, 29, 49, 0, 6])
    np.testing.assert_array_equal(limit_bboxes(ROWS, np.array([[25, 35], [50, 30]]), False)[3, 6:], ROWS[3, 6:])


@pytest.mark.parametrize(
    "box", [[1, 2, 11.4, 22.6], (1, 2, 11.4, 22.6), {"box": [1, 2, 11.4, 22.6]}, np.array([9, 1, 2, 11.4, 22.6, 1])]
)
def test_boxes_of_every_kind(box):
    assert parse_bbox(box).tolist() == [1, 2, 11, 23]
    assert parse_bbox(box, output_as_width_height=False).tolist() == [1, 2, 12, 25]
    assert parse_bbox(box, True, False).tolist() == [1, 2, 10, 21]
    assert parse_bbox(box, False, False).tolist() == [1, 2, 11, 23]
    for wrong in (3, [1, 2], None, "abcd"):
        with pytest.raises(InvalidValue, match=r"^bbox is "):
            parse_bbox(wrong)


def test_rows_as_dictionaries():
    first, second, none = to_json(ROWS, 3)
    assert [face["box"] for face in first] == [[0, 0, 10, 10], [0, 0, 10, 5], [20, 20, 20, 10]]
    assert second[0] == {"box": [-4, 6, 35, 84], "confidence": 0.8, "keypoints": parse_landmarks(ROWS[3])}
    assert none == []
    assert "keypoints" not in to_json(ROWS[0, :6], 1)[0][0]


def test_landmarks_of_every_kind():
    points = {"nose": [2, 7], "mouth_right": [4, 9], "right_eye": [1, 6], "left_eye": [0, 5], "mouth_left": [3, 8]}
    for given in (ROWS[0], ROWS[0, 6:], points, {"box": [0, 0, 1, 1], "keypoints": points}):
        assert parse_landmarks(given) == points
    with pytest.raises(IndexError):
        parse_landmarks(ROWS[0, :6])
