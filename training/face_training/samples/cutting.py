"""From boxes to records: pixels as the cascade resizes them, targets as it decodes them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_cascade.area import Int32, area_crops
from face_cascade.boxes import Float32
from face_training.annotations.picture import AnnotatedPicture
from face_training.geometry import regression_targets
from face_training.samples.records import Kind, Records, record_type


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
