"""Samples at random: PNet's, from square windows everywhere in a picture and around its faces, and landmark samples.

`sums` is a picture's integral image INT32 [H+1,W+1,3], `random` what decides.
"""

import numpy as np
from numpy.random import Generator

from face_cascade.area import Int32
from face_cascade.boxes import Float32
from face_cascade.networks import PNET
from face_training.annotations.pictures import AnnotatedPicture
from face_training.samples.geometry import crop_boxes, landmark_targets, overlaps, pnet_boxes
from face_training.samples.records import POSITIVE_FROM, Kind, Records, crop_records, joined, kinds_of, set_regression
from face_training.settings import SampleSettings

# Windows drawn for each negative that is wanted: in a crowd most of them touch a face.
_TRIES = 4


def pnet_records(picture: AnnotatedPicture, sums: Int32, settings: SampleSettings, random: Generator) -> Records:
    """Negatives, positives and parts of a picture."""
    windows = np.concatenate(
        [
            _first_negatives(anywhere(picture, _TRIES * settings.negatives, random), settings.negatives, picture),
            *(
                _first_negatives(beside(picture, face, _TRIES * settings.near, random), settings.near, picture)
                for face in picture.faces
            ),
            *(_faces_only(around(picture, face, settings.around, random), picture) for face in picture.faces),
        ]
    )
    kinds, nearest = kinds_of(windows.astype(np.float32), picture)
    records = crop_records(sums, windows, pnet_boxes(windows), kinds, PNET.side)
    return set_regression(records, nearest, picture, plus_one=False)


def anywhere(picture: AnnotatedPicture, count: int, random: Generator) -> Int32:
    """Windows INT32 [N,4] inside the picture, from 12 pixels to half of its shorter side."""
    sizes = _sizes(picture, count, random)
    starts = random.random((len(sizes), 2)) * (_extent(picture) - sizes[:, None] + 1)
    return _squares(starts.astype(np.int64), sizes, picture)


def beside(picture: AnnotatedPicture, face: Float32, count: int, random: Generator) -> Int32:
    """Windows of such sizes that begin at most their own size before the face's corner, or inside of it."""
    sizes = _sizes(picture, count, random)
    low = np.maximum(-sizes[:, None], -face[None, :2])
    offsets = low + random.random((len(sizes), 2)) * (face[2:] - face[:2] - low)
    return _squares(np.floor(face[:2] + offsets).astype(np.int64), sizes, picture)


def around(picture: AnnotatedPicture, face: Float32, count: int, random: Generator) -> Int32:
    """Windows of 0.8 of the face's shorter side to 1.25 of its longer, moved by a fifth of its sides at most."""
    width, height = face[2:] - face[:2]
    low, high = int(min(width, height) * 0.8), int(np.ceil(1.25 * max(width, height)))
    sizes = random.integers(max(low, PNET.side), max(high, PNET.side) + 1, count)
    centers = (face[:2] + face[2:]) / 2 + random.uniform(-0.2, 0.2, (count, 2)) * (width, height)
    return _squares(np.floor(centers - sizes[:, None] / 2).astype(np.int64), sizes, picture)


def _sizes(picture: AnnotatedPicture, count: int, random: Generator) -> Int32:
    """Of windows anywhere; none for a picture that is smaller than two of them."""
    largest = min(picture.width, picture.height) // 2
    return random.integers(PNET.side, largest + 1, count if largest >= PNET.side else 0).astype(np.int32)


def _extent(picture: AnnotatedPicture) -> Int32:
    return np.array([picture.width, picture.height], np.int32)


def _squares(starts: np.ndarray, sizes: np.ndarray, picture: AnnotatedPicture) -> Int32:
    """Those that lie inside of the picture, INT32 [N,4]."""
    ends = starts + sizes[:, None]
    inside = ((starts >= 0) & (ends <= _extent(picture))).all(axis=1)
    return np.concatenate([starts, ends], axis=1)[inside].astype(np.int32)


def _first_negatives(windows: Int32, count: int, picture: AnnotatedPicture) -> Int32:
    kinds, _ = kinds_of(windows.astype(np.float32), picture)
    return windows[kinds == Kind.NEGATIVE][:count]


def _faces_only(windows: Int32, picture: AnnotatedPicture) -> Int32:
    kinds, _ = kinds_of(windows.astype(np.float32), picture)
    return windows[(kinds == Kind.POSITIVE) | (kinds == Kind.PART)]


def landmark_records(picture: AnnotatedPicture, sums: Int32, size: int, shifts: int, random: Generator) -> Records:
    """Crops around each face with landmarks, shifted a little.

    They are those of `shifts` windows that overlap the face enough and hold all five points.
    """
    parts = []
    for face, points in zip(picture.faces, picture.landmarks, strict=True):
        if np.isfinite(points).all():
            windows = around(picture, face, shifts, random)
            windows = windows[_shows(windows, face, points)]
            parts.append(_landmark_crops(sums, windows, points, size))
    return joined(parts, size)


def _shows(windows: Int32, face: Float32, points: Float32) -> np.ndarray:
    close = overlaps(windows.astype(np.float32), face[None])[:, 0] > POSITIVE_FROM
    inside = (points >= windows[:, None, :2]) & (points <= windows[:, None, 2:])
    return close & inside.all(axis=(1, 2))


def _landmark_crops(sums: Int32, windows: Int32, points: Float32, size: int) -> Records:
    boxes = crop_boxes(windows)
    records = crop_records(sums, windows, boxes, np.full(len(windows), Kind.LANDMARK), size)
    records["landmarks"] = landmark_targets(boxes, np.repeat(points[None], len(windows), axis=0))
    return records
