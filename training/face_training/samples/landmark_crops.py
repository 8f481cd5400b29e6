"""Landmark samples: crops around annotated faces, shifted a little, of the picture and of its mirror image."""

import numpy as np
from numpy.random import Generator

from face_cascade.area import Int32
from face_cascade.boxes import Float32
from face_training.annotations.picture import AnnotatedPicture
from face_training.geometry import crop_boxes, landmark_targets, overlaps
from face_training.samples.cutting import crop_records, joined
from face_training.samples.random_crops import around
from face_training.samples.records import POSITIVE_FROM, Kind, Records


def landmark_records(picture: AnnotatedPicture, sums: Int32, size: int, shifts: int, random: Generator) -> Records:
    """Of each face with landmarks: those of `shifts` windows that overlap it enough and hold all five points."""
    parts = []
    for face, points in zip(picture.faces, picture.landmarks, strict=True):
        if np.isfinite(points).all():
            windows = around(picture, face, shifts, random)
            windows = windows[_shows(windows, face, points)]
            parts.append(_records(sums, windows, points, size))
    return joined(parts, size)


def _shows(windows: Int32, face: Float32, points: Float32) -> np.ndarray:
    close = overlaps(windows.astype(np.float32), face[None])[:, 0] > POSITIVE_FROM
    inside = (points >= windows[:, None, :2]) & (points <= windows[:, None, 2:])
    return close & inside.all(axis=(1, 2))


def _records(sums: Int32, windows: Int32, points: Float32, size: int) -> Records:
    boxes = crop_boxes(windows)
    records = crop_records(sums, windows, boxes, np.full(len(windows), Kind.LANDMARK), size)
    records["landmarks"] = landmark_targets(boxes, np.repeat(points[None], len(windows), axis=0))
    return records
