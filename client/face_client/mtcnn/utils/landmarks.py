"""Landmarks by name, as ipazc's mtcnn has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from face_client.drop_in import not_here
from face_client.mtcnn.rows import LANDMARKS_X, LANDMARKS_Y, keypoints_of

_NUMBERS = 10


def parse_landmarks(landmarks: Any) -> Any:
    """The five points [x, y] by name, in whole numbers.

    landmarks: a face of `detect_faces`, its keypoints, a row of the "numpy" output, or the row's ten numbers alone
    (all x, then all y). Raises IndexError for a row without landmarks, as there.
    """
    if isinstance(landmarks, dict):
        return landmarks.get("keypoints", landmarks)
    row = np.asarray(landmarks)
    if row.size < _NUMBERS:
        raise IndexError(f"landmarks has {row.size} numbers; it must have ten, or be a row of sixteen")
    if row.size == _NUMBERS:
        return keypoints_of(row[:5], row[5:])
    return keypoints_of(row[LANDMARKS_X], row[LANDMARKS_Y])


__getattr__ = not_here(
    __name__,
    {"adjust_landmarks"},
    "is a step inside the cascade, which runs in the server: detect_faces gives its answer",
)
