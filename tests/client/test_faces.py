"""The answer's two faces: arrays, and one object a face."""

import json
from dataclasses import replace

import numpy as np
import pytest

from face_client import Faces


@pytest.fixture
def faces():
    return Faces(
        boxes=np.array([[-2.5, 1, 20, 33], [5, 6, 44.1, 12]], np.float32),
        probabilities=np.array([0.9, 0.75], np.float32),
        landmarks=np.arange(20, dtype=np.float32).reshape(2, 5, 2),
        width=40,
        height=30,
    )


def test_one_object_a_face(faces):
    assert len(faces) == len(list(faces)) == 2
    first, second = faces
    assert first.probability == 0.9
    assert second.landmarks.left_eye == (10.0, 11.0)
    assert second.landmarks.mouth_right == (18.0, 19.0)
    assert faces[-1].probability == 0.75
    assert [face.probability for face in faces[1:]] == [0.75]
    with pytest.raises(IndexError):
        faces[2]


def test_angles_are_there_where_they_were_asked_for(faces):
    assert faces[0].angle is None
    assert "angle" not in faces[0].to_dict()
    turned = replace(faces, angles=np.array([0, 270], np.int32))
    assert json.loads(json.dumps([face.to_dict()["angle"] for face in turned])) == [0, 270]
    assert turned.resized(80, 60)[1].angle == 270


def test_clip_cuts_at_the_border_and_leaves_the_boxes(faces):
    np.testing.assert_array_equal(faces.clip(), np.float32([[0, 1, 20, 30], [5, 6, 40, 12]]))
    assert faces.clip().dtype == np.float32
    assert faces.boxes[0, 0] == -2.5


def test_resized_scales_each_axis(faces):
    larger = faces.resized(80, 90)
    np.testing.assert_allclose(larger.boxes[0], [-5, 3, 40, 99])
    np.testing.assert_allclose(larger.landmarks[0, 1], [4, 9])
    assert (larger.width, larger.height) == (80, 90)
    assert larger.boxes.dtype == larger.landmarks.dtype == np.float32


def test_json_has_short_numbers_that_are_exact(faces):
    document = json.loads(json.dumps(faces.to_dict()))
    assert list(document) == ["width", "height", "faces"]
    assert document["faces"][1] == {
        "box": [5.0, 6.0, 44.1, 12.0],
        "probability": 0.75,
        "landmarks": {
            "left_eye": [10.0, 11.0],
            "right_eye": [12.0, 13.0],
            "nose": [14.0, 15.0],
            "mouth_left": [16.0, 17.0],
            "mouth_right": [18.0, 19.0],
        },
    }
    assert np.float32(document["faces"][1]["box"][2]) == faces.boxes[1, 2]
