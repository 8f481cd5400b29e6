"""Selection: order and choice of faces."""

import numpy as np
import pytest

from face_cascade import DetectionParameters
from face_cascade.flow import select

# Areas 100, 400, 900; the second is the likeliest, the first lies at the centre of a 200x200 image.
BOXES = np.array([[95, 95, 105, 105], [0, 0, 20, 20], [150, 150, 180, 180]], np.float32)
PROBABILITIES = np.array([0.95, 0.99, 0.8], np.float32)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        ({}, [2, 1, 0]),
        ({"max_faces": 2}, [2, 1]),
        ({"selection": "largest"}, [2]),
        ({"selection": "probability"}, [1]),
        ({"selection": "probability", "max_faces": 2}, [1, 0]),
        ({"selection": "largest_over_threshold"}, [1]),
        ({"selection": "center_weighted_size"}, [0]),
    ],
)
def test_selection(options, chosen):
    parameters = DetectionParameters(**options)
    assert select(BOXES, PROBABILITIES, 200, 200, parameters).tolist() == chosen


def test_none_over_the_threshold():
    parameters = DetectionParameters(selection="largest_over_threshold")
    assert select(BOXES, PROBABILITIES - 0.2, 200, 200, parameters).tolist() == []


@pytest.mark.parametrize("selection", ["all", "center_weighted_size"])
def test_no_faces(selection):
    none = np.empty((0, 4), np.float32)
    assert select(none, none[:, 0], 10, 10, DetectionParameters(selection=selection)).tolist() == []
