"""Which faces are returned, and in which order."""

import numpy as np
from numpy.typing import NDArray

from face_cascade.boxes import areas
from face_cascade.parameters import DetectionParameters

# facenet-pytorch's `MTCNN.select_boxes` defaults.
_PROBABILITY_FLOOR = 0.9
_CENTER_WEIGHT = 2.0


def select(
    boxes: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    height: int,
    width: int,
    parameters: DetectionParameters,
) -> NDArray[np.intp]:
    """Indices of the faces to return, best first.

    `all`: every face, largest first. The others are facenet-pytorch's ways to choose one face; they return one, or
    as many as `max_faces` says. `largest_over_threshold` asks for a probability above 0.9;
    `center_weighted_size` takes from the area twice the squared distance from the image's centre.
    """
    sizes = areas(boxes)
    candidates = np.arange(len(boxes))
    merit = sizes
    if parameters.selection == "probability":
        merit = probabilities
    elif parameters.selection == "largest_over_threshold":
        candidates = np.flatnonzero(probabilities > _PROBABILITY_FLOOR)
    elif parameters.selection == "center_weighted_size":
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        distance = ((centers - np.array([width / 2, height / 2])) ** 2).sum(axis=1)
        merit = sizes - _CENTER_WEIGHT * distance
    order = candidates[np.argsort(merit[candidates], kind="stable")[::-1]]
    limit = parameters.max_faces or (None if parameters.selection == "all" else 1)
    return order[:limit]
