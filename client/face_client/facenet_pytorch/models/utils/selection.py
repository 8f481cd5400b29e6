"""The server's faces as the arrays of facenet-pytorch's `detect`, and one face of several by its four methods."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from face_client.drop_in import InvalidValue
from face_client.errors import InvalidInput
from face_client.facenet_pytorch.models.utils.pictures import get_size
from face_client.faces import Faces
from face_client.options import plain

# `detect`'s arrays come out of `np.array(…, dtype=object)` over one entry a picture. So the result depends on the
# counts of faces: equal counts make one array of Python floats, others an array of float32 arrays.
Objects = NDArray[np.object_]


class Rows(NamedTuple):
    """One picture's faces. scored: float32 [n, 5], box and probability. points: float32 [n, 5, 2]."""

    scored: NDArray[np.float32]
    points: NDArray[np.float32]


def likeliest_first(faces: Faces) -> Rows:
    """In the order of the last stage's NMS, which select_largest=False keeps."""
    order = np.argsort(-faces.probabilities, kind="stable")
    scored = np.column_stack([faces.boxes, faces.probabilities])
    return Rows(scored[order], faces.landmarks[order])


def collect(pictures: list[Rows], select_largest: bool) -> tuple[Objects, Objects, Objects]:
    """Boxes, probabilities and points, one entry a picture; [None] stands for the probabilities of no face."""
    boxes: list[Any] = []
    probabilities: list[Any] = []
    points: list[Any] = []
    # Through object arrays, so that equal counts make Python floats before anything is computed with them.
    for scored, landmarks in zip(
        as_objects([rows.scored for rows in pictures]), as_objects([r.points for r in pictures])
    ):
        if len(scored) == 0:
            boxes.append(None)
            probabilities.append([None])
            points.append(None)
            continue
        if select_largest:
            areas = (scored[:, 2] - scored[:, 0]) * (scored[:, 3] - scored[:, 1])
            order = np.argsort(areas)[::-1]
            scored, landmarks = scored[order], landmarks[order]
        boxes.append(scored[:, :4])
        probabilities.append(scored[:, 4])
        points.append(landmarks)
    return as_objects(boxes), as_objects(probabilities), as_objects(points)


def as_objects(entries: list[Any]) -> Objects:
    """One entry a picture, as facenet-pytorch's arrays hold them."""
    return np.array(entries, dtype=object)


METHODS = ("probability", "largest", "largest_over_threshold", "center_weighted_size")


class Chosen(NamedTuple):
    """Arrays of one face, [1, 4], [1], [1, 5, 2]; or None, [None], None."""

    box: Any
    probability: Any
    points: Any


_NONE = Chosen(None, [None], None)


def _check_number(name: str, value: object) -> None:
    number = plain(value)
    if not isinstance(number, Real) or not math.isfinite(number):
        raise InvalidInput(f"{name} is {value!r}; it must be a number")


class Chooser:
    """method, threshold, center_weight: as in `MTCNN.select_boxes`. Raises InvalidValue for another method."""

    def __init__(self, method: str, threshold: float, center_weight: float) -> None:
        if method not in METHODS:
            raise InvalidValue(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
        _check_number("threshold", threshold)
        _check_number("center_weight", center_weight)
        self.method = method
        self.threshold = threshold
        self.center_weight = center_weight

    def __call__(self, boxes: Any, probabilities: Any, points: Any, picture: Any) -> Chosen:
        """The best face of one picture."""
        if boxes is None:
            return _NONE
        boxes, probabilities, points = np.array(boxes), np.array(probabilities), np.array(points)
        merits = self._merits(boxes, probabilities, picture)
        candidates = np.arange(len(boxes))
        if self.method == "largest_over_threshold":
            candidates = candidates[probabilities > self.threshold]
            if not len(candidates):
                return _NONE
        best = candidates[np.argsort(merits[candidates])[-1:]]
        return Chosen(boxes[best], probabilities[best], points[best])

    def _merits(self, boxes: NDArray[Any], probabilities: NDArray[Any], picture: Any) -> NDArray[Any]:
        if self.method == "probability":
            return probabilities
        areas: NDArray[Any] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        if self.method != "center_weighted_size":
            return areas
        width, height = get_size(picture)
        offsets = (boxes[:, :2] + boxes[:, 2:]) / 2 - np.array([width / 2, height / 2])
        return areas - (offsets**2).sum(axis=1) * self.center_weight


def stacked(chosen: list[Chosen]) -> tuple[Any, Any, Any]:
    """One array of each; of objects where a picture has no face."""
    kind = object if any(one.box is None for one in chosen) else None
    boxes, probabilities, points = zip(*chosen) if chosen else ((), (), ())
    return np.array(boxes, dtype=kind), np.array(probabilities, dtype=kind), np.array(points, dtype=kind)
