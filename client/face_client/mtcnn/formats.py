"""Rows of faces in the formats of ipazc's mtcnn."""

from __future__ import annotations

from typing import Any

import numpy as np

from face_client.mtcnn.rows import BOX, CONFIDENCE, LANDMARKS_X, LANDMARKS_Y, Rows

# In the order of its answers.
_KEYPOINTS = {"nose": 2, "mouth_right": 4, "right_eye": 1, "left_eye": 0, "mouth_left": 3}


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
    face: dict[str, Any] = {"box": _whole(row[BOX]), "confidence": row[CONFIDENCE]}
    points = list(zip(_whole(row[LANDMARKS_X]), _whole(row[LANDMARKS_Y])))
    if points:
        face["keypoints"] = {name: list(points[index]) for name, index in _KEYPOINTS.items()}
    return face


def _whole(values: Rows) -> list[int]:
    return [int(value) for value in np.round(values)]
