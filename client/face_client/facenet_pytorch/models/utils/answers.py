"""The server's faces as the arrays that facenet-pytorch's `detect` returns.

Its arrays come out of `np.array(…, dtype=object)` over one entry a picture. So the result depends on the counts
of faces: equal counts make one array of Python floats, others an array of float32 arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from face_client.faces import Faces

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
    for scored, landmarks in zip(_objects([rows.scored for rows in pictures]), _objects([r.points for r in pictures])):
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
    return _objects(boxes), _objects(probabilities), _objects(points)


def _objects(entries: list[Any]) -> Objects:
    return np.array(entries, dtype=object)
