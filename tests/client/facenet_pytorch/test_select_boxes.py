"""select_boxes(): one face of several, by four methods."""

import numpy as np
import pytest
from PIL import Image

from face_client import InvalidInput
from tests.client.facenet_pytorch.conftest import BOXES, LANDMARKS, PROBABILITIES


@pytest.mark.parametrize(
    ("options", "index"),
    [
        ({}, 2),
        ({"method": "probability"}, 2),
        ({"method": "largest"}, 0),
        ({"method": "largest_over_threshold"}, 1),
        ({"method": "largest_over_threshold", "threshold": 0.8}, 0),
        ({"method": "largest_over_threshold", "threshold": 0.96}, 2),
        # Centres are 28.5, 42.3 and 50.6 pixels from the middle (60, 50): areas less twice the squares.
        ({"method": "center_weighted_size"}, 0),
        ({"method": "center_weighted_size", "center_weight": 0.0}, 0),
    ],
)
@pytest.mark.parametrize("kind", [Image.fromarray, np.asarray], ids=["Pillow", "array"])
def test_methods(options, index, kind, mtcnn_of, scene):
    mtcnn = mtcnn_of()
    picture = kind(scene(3))
    box, probability, points = mtcnn.select_boxes(*mtcnn.detect(picture, landmarks=True), picture, **options)
    np.testing.assert_array_equal(box.astype(np.float32), BOXES[[index]])
    assert probability == pytest.approx(float(PROBABILITIES[index]))
    np.testing.assert_array_equal(points.astype(np.float32), LANDMARKS[[index]])


def test_the_centre_outweighs_size(mtcnn_of):
    boxes = np.array([[0, 0, 60, 60], [80, 80, 120, 120]], np.float32)
    probabilities, points = np.array([0.9, 0.9]), np.zeros((2, 5, 2))
    picture = np.zeros((200, 200, 3), np.uint8)
    box, _, _ = mtcnn_of().select_boxes(boxes, probabilities, points, picture, method="center_weighted_size")
    np.testing.assert_array_equal(box, boxes[[1]])


def test_no_face(mtcnn_of, scene):
    mtcnn = mtcnn_of()
    found = mtcnn.detect(scene(0), landmarks=True)
    assert mtcnn.select_boxes(*found, scene(0)) == (None, None, None)
    found = mtcnn.detect(scene(3), landmarks=True)
    assert mtcnn.select_boxes(*found, scene(3), method="largest_over_threshold", threshold=0.995) == (None, None, None)


def test_many_pictures(mtcnn_of, scene):
    mtcnn = mtcnn_of()
    pictures = [scene(3), scene(1)]
    boxes, probabilities, points = mtcnn.select_boxes(*mtcnn.detect(pictures, landmarks=True), pictures)
    assert (boxes.shape, probabilities.shape, points.shape) == ((2, 1, 4), (2, 1), (2, 1, 5, 2))
    np.testing.assert_array_equal(boxes[:, 0], BOXES[[2, 0]])
    pictures = [scene(0), scene(1)]
    boxes, probabilities, points = mtcnn.select_boxes(*mtcnn.detect(pictures, landmarks=True), pictures)
    assert (boxes[0], points[0]) == (None, None)
    assert boxes[1].shape == (1, 4)


@pytest.mark.parametrize("error", [ValueError, InvalidInput])
def test_an_unknown_method(error, mtcnn_of, scene):
    with pytest.raises(error, match="must be one of probability, largest, "):
        mtcnn_of(selection_method="smallest")(scene(1))
