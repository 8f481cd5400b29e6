"""Faces as ipazc's mtcnn gives them: as rows of numbers, its "numpy" output, and made of these as dictionaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_client.faces import Faces

Rows = NDArray[np.float64]
"""[n, 16], or [n, 6] without landmarks: number of the picture, x1, y1, x2, y2, confidence; then the x of left eye,
right eye, nose, left and right mouth corner, then their y. Coordinates are pixels."""

BOX = slice(1, 5)
CONFIDENCE = 5
LANDMARKS_X = slice(6, 11)
LANDMARKS_Y = slice(11, 16)

# In the order of its answers.
_KEYPOINTS = {"nose": 2, "mouth_right": 4, "right_eye": 1, "left_eye": 0, "mouth_left": 3}

# Where a smaller picture lies in the canvas of the largest: share of the free pixels above it, and left of it.
JUSTIFICATIONS = {
    "top": (0, 0.5),
    "topleft": (0, 0),
    "topright": (0, 1),
    "bottom": (1, 0.5),
    "bottomleft": (1, 0),
    "bottomright": (1, 1),
    "left": (0.5, 0),
    "right": (0.5, 1),
    "center": (0.5, 0.5),
}


def rows_of(number: int, faces: Faces, landmarks: bool) -> Rows:
    """One picture's faces, the likeliest first. number: of the picture."""
    order = np.argsort(-faces.probabilities, kind="stable")
    columns = [np.full(len(faces), number), faces.boxes[order], faces.probabilities[order]]
    if landmarks:
        columns += [faces.landmarks[order, :, 0], faces.landmarks[order, :, 1]]
    return np.column_stack(columns).astype(np.float64)


def fitted(rows: Rows, width: int, height: int, landmarks: bool) -> Rows:
    """The rows with boxes, and landmarks if wanted, moved inside the picture: 0…width-1, 0…height-1."""
    rows = rows.copy()
    rows[:, BOX] = rows[:, BOX].clip(0, [width - 1, height - 1, width - 1, height - 1])
    if landmarks:
        rows[:, LANDMARKS_X] = rows[:, LANDMARKS_X].clip(0, width - 1)
        rows[:, LANDMARKS_Y] = rows[:, LANDMARKS_Y].clip(0, height - 1)
    return rows


def padding(sizes: Sequence[tuple[int, int]], justification: str) -> list[tuple[int, int]]:
    """(x, y) of each picture in the canvas into which ipazc's mtcnn pads pictures of several sizes.

    Nothing is padded here; only coordinates without postprocessing count from that canvas.
    sizes: (width, height). justification: one of JUSTIFICATIONS.
    """
    share_y, share_x = JUSTIFICATIONS[justification]
    width = max((size[0] for size in sizes), default=0)
    height = max((size[1] for size in sizes), default=0)
    return [(int((width - w) * share_x), int((height - h) * share_y)) for w, h in sizes]


def shifted(rows: Rows, x: int, y: int) -> Rows:
    """The rows in a canvas in which the picture lies at (x, y)."""
    rows = rows.copy()
    rows[:, BOX] += [x, y, x, y]
    rows[:, LANDMARKS_X] += x
    rows[:, LANDMARKS_Y] += y
    return rows


def boxes_as_sizes(rows: Rows) -> Rows:
    """The rows with x, y, width, height for x1, y1, x2, y2."""
    rows = rows.copy()
    rows[:, 3:5] -= rows[:, 1:3]
    return rows


def as_dicts(rows: Rows) -> list[dict[str, Any]]:
    """One dictionary a face: box (four whole numbers, rounded to the nearest, halves to even), confidence and,
    where the rows have landmarks, keypoints [x, y] by name."""
    return [_as_dict(row) for row in rows]


def _as_dict(row: Rows) -> dict[str, Any]:
    face: dict[str, Any] = {"box": _whole(row[BOX]), "confidence": float(row[CONFIDENCE])}
    if len(row) > CONFIDENCE + 1:
        face["keypoints"] = keypoints_of(row[LANDMARKS_X], row[LANDMARKS_Y])
    return face


def keypoints_of(x: NDArray[Any], y: NDArray[Any]) -> dict[str, list[int]]:
    """Points [x, y] by name, of five numbers each."""
    points = list(zip(_whole(x), _whole(y)))
    return {name: list(points[index]) for name, index in _KEYPOINTS.items()}


def _whole(values: Rows) -> list[int]:
    return [int(value) for value in np.round(values)]
