"""Face crops against facenet-pytorch's."""

import numpy as np
import pytest

from face_cascade import Detection, DetectionParameters
from face_cascade.crops import aligned_crops, detection_crops, face_crops
from tests.pictures import DATA, astronaut, reference


@pytest.mark.parametrize(("margin", "size"), [(0, 160), (32, 182), (14, 80)])
def test_crops_equal_the_references_to_the_byte(margin, size):
    boxes = reference("astronaut.png", 20)[0].astype(np.float32)
    expected = np.load(DATA / "astronaut_crops.npz")[f"margin{margin}_size{size}"]
    np.testing.assert_array_equal(face_crops(astronaut(), boxes, size, margin), expected)


def test_boxes_past_the_border_and_beside_the_image():
    boxes = np.array([[-50, -50, 30, 30], [500, 500, 700, 700], [600, 600, 700, 700], [5, 5, 5, 5]], np.float32)
    crops = face_crops(astronaut(), boxes, 20, 0)
    assert crops.shape == (4, 20, 20, 3)
    assert (crops[2] == astronaut()[-1, -1]).all()


def test_no_boxes():
    assert face_crops(astronaut(), np.empty((0, 4), np.float32), 160, 0).shape == (0, 160, 160, 3)


def test_the_same_window_in_another_size():
    boxes = np.array([[100, 50, 300, 250]], np.float32)
    whole = face_crops(astronaut(), boxes, 200, 0)
    np.testing.assert_array_equal(whole[0], astronaut()[50:250, 100:300])
    np.testing.assert_array_equal(face_crops(astronaut(), boxes, 80, 0, side=200), whole)
    # 10 of 60 pixels are margin: the window is a fifth larger than the box.
    wider = np.array([[80, 30, 320, 270]], np.float32)
    np.testing.assert_array_equal(
        face_crops(astronaut(), boxes, 60, 10, side=90), face_crops(astronaut(), wider, 90, 0)
    )


@pytest.mark.parametrize("side", [None, 48])
def test_parameters_choose_the_crops(side):
    boxes, landmarks, probabilities = (array.astype(np.float32) for array in reference("astronaut.png", 20))
    detection = Detection(boxes, probabilities, landmarks, np.zeros(len(boxes), np.int32))
    parameters = {"image_size": 96, "margin": 8}
    np.testing.assert_array_equal(
        detection_crops(astronaut(), detection, DetectionParameters(**parameters), side),
        face_crops(astronaut(), boxes, 96, 8, side),
    )
    np.testing.assert_array_equal(
        detection_crops(astronaut(), detection, DetectionParameters(**parameters, align=True), side),
        aligned_crops(astronaut(), landmarks, 96, 8, side),
    )
