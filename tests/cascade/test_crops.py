"""Face crops against facenet-pytorch's."""

import numpy as np
import pytest

from face_cascade.crops import face_crops
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
