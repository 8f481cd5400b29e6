"""What a sample holds, which kind of sample a box is, and how one is cut out of a picture.

A sample is one row of a structured array, which lies in a .npy file as it is. Its pixels are as the cascade resizes
them, its targets as the cascade decodes them.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_cascade.area import Int32, area_crops
from face_cascade.boxes import Float32
from face_training.annotations.pictures import AnnotatedPicture
from face_training.samples.geometry import covered, overlaps, regression_targets

Records = NDArray[np.void]

NO_SAMPLE = -1

POSITIVE_FROM = 0.65
PART_FROM = 0.4
NEGATIVE_BELOW = 0.3
"""Bands of the intersection over union with a face; what lies between them is no sample."""


class Kind(IntEnum):
    """What a sample teaches (MTCNN, section III-B of Zhang et al. 2016)."""

    NEGATIVE = 0
    """No face: classification."""
    POSITIVE = 1
    """A face: classification and box."""
    PART = 2
    """A part of a face: box."""
    LANDMARK = 3
    """A face with its five points: landmarks."""


def record_type(size: int) -> np.dtype[Any]:
    """Rows for crops of `size` pixels.

    pixels UINT8 [size,size,3] RGB, the area average rounded; regression FP32 [4], landmarks FP32 [10], zeros where the
    kind has none. In pixels of the picture, or of its mirror image: window INT32 [4], what the crop shows, ends
    exclusive, and box FP32 [4], what the cascade calls it.
    """
    return np.dtype(
        [
            ("pixels", np.uint8, (size, size, 3)),
            ("kind", np.uint8),
            ("mirrored", np.bool_),
            ("picture", np.int32),
            ("window", np.int32, 4),
            ("box", np.float32, 4),
            ("regression", np.float32, 4),
            ("landmarks", np.float32, 10),
        ]
    )


def kinds_of(boxes: Float32, picture: AnnotatedPicture) -> tuple[NDArray[np.int8], NDArray[np.intp]]:
    """For boxes FP32 [N,4]: their kinds INT8 [N] (`NO_SAMPLE`: none) and the face each overlaps most, INTP [N].

    No negative touches an ignored face by more than the band of negatives, measured by its own area: a crowd may be
    marked as one.
    """
    if len(picture.faces):
        shared = overlaps(boxes, picture.faces)
        nearest = shared.argmax(axis=1)
        best = shared[np.arange(len(boxes)), nearest]
    else:
        nearest, best = np.zeros(len(boxes), np.intp), np.zeros(len(boxes), np.float32)
    ignored = covered(boxes, picture.ignored).max(axis=1, initial=0)
    kinds = np.full(len(boxes), NO_SAMPLE, np.int8)
    kinds[(best < NEGATIVE_BELOW) & (ignored < NEGATIVE_BELOW)] = Kind.NEGATIVE
    kinds[best >= PART_FROM] = Kind.PART
    kinds[best > POSITIVE_FROM] = Kind.POSITIVE
    return kinds, nearest


def cut_out(sums: Int32, windows: Int32, size: int) -> NDArray[np.uint8]:
    """Windows INT32 [N,4] of an integral image as UINT8 [N,size,size,3], area averages rounded.

    The cascade keeps their fractions. Half a grey level is less than a JPEG's own noise, and a quarter of the space.
    """
    crops = np.empty((len(windows), 3, size, size), np.float32)
    area_crops(sums, np.ascontiguousarray(windows, np.int32), crops)
    return np.rint(crops).astype(np.uint8).transpose(0, 2, 3, 1)


def crop_records(sums: Int32, windows: Int32, boxes: Float32, kinds: NDArray[np.integer], size: int) -> Records:
    """Records without targets; all arrays have one row a sample. boxes: what the cascade calls the windows."""
    records = np.zeros(len(windows), record_type(size))
    records["pixels"] = cut_out(sums, windows, size)
    records["window"], records["box"], records["kind"] = windows, boxes, kinds
    return records


def set_regression(records: Records, nearest: NDArray[np.intp], picture: AnnotatedPicture, plus_one: bool) -> Records:
    """The records with the targets of positives and parts; nearest INTP [N]: the face that each of them shows."""
    kinds, boxes = records["kind"], records["box"]
    faced = (kinds == Kind.POSITIVE) | (kinds == Kind.PART)
    if faced.any():
        faces = picture.faces[nearest[faced]]
        records["regression"][faced] = regression_targets(boxes[faced], faces, plus_one)
    return records


def joined(parts: Sequence[Records], size: int) -> Records:
    """All records, also of no parts."""
    return np.concatenate([np.zeros(0, record_type(size)), *parts])
