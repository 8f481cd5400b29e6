"""The stand-in on a server that finds as many faces as the first pixel of a picture says."""

import numpy as np
import pytest

from face_client import FaceClient
from face_client.facenet_pytorch import MTCNN
from tests.client.finding import first_of

# The likeliest is the smallest; the largest, likelier than nobody, stays below select_boxes' threshold of 0.9.
BOXES = np.array([[60, 20, 110, 90], [10, 10, 50, 60], [5.5, 70.25, 25.5, 95.75]], np.float32)
PROBABILITIES = np.array([0.85, 0.95, 0.99], np.float32)
LANDMARKS = np.arange(30, dtype=np.float32).reshape(3, 5, 2)


@pytest.fixture
def scene():
    """scene(count): RGB uint8 [100, 120, 3] in which `count` faces will be found."""

    def picture(count):
        y, x = np.mgrid[0:100, 0:120]
        pixels = np.stack([x * 2, y * 2, x + y], axis=2).astype(np.uint8)
        pixels[0, 0] = count
        return pixels

    return picture


@pytest.fixture
def transport(make_transport):
    return make_transport(first_of(BOXES, PROBABILITIES, LANDMARKS))


@pytest.fixture
def mtcnn_of(transport):
    """mtcnn_of(arguments…): an MTCNN on that server."""
    return lambda **arguments: MTCNN(client=FaceClient(transport=transport), **arguments)
