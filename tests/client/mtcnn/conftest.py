"""The stand-in on a server that finds as many faces as the first pixel of a picture says."""

import numpy as np
import pytest

from face_client import FaceClient
from face_client.mtcnn import MTCNN
from tests.client.finding import first_of

# The likeliest is not the largest; one passes the border on every side.
BOXES = np.array([[10.4, 20.6, 60.5, 90.2], [-3.7, -8.2, 125.4, 104.9], [1, 2, 4, 6]], np.float32)
PROBABILITIES = np.array([0.85, 0.99, 0.95], np.float32)
LANDMARKS = np.array(
    [
        [[20.4, 30.5], [40.5, 31.5], [30.6, 50.2], [22, 70], [42, 71]],
        [[-2.2, -3], [130, 5], [60, 50], [-0.4, 101.3], [119.6, 98.8]],
        [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]],
    ],
    np.float32,
)


@pytest.fixture
def scene():
    """scene(count, height, width): RGB uint8 in which `count` faces will be found."""

    def picture(count, height=100, width=120):
        pixels = np.full((height, width, 3), 200, np.uint8)
        pixels[0, 0] = count
        return pixels

    return picture


@pytest.fixture
def transport(make_transport):
    return make_transport(first_of(BOXES, PROBABILITIES, LANDMARKS))


@pytest.fixture
def detector_of(transport):
    """detector_of(arguments…): an MTCNN on that server."""
    return lambda *arguments, **options: MTCNN(*arguments, client=FaceClient(transport=transport), **options)
