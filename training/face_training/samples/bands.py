"""Which kind of sample a box is."""

import numpy as np
from numpy.typing import NDArray

from face_cascade.boxes import Float32
from face_training.annotations.picture import AnnotatedPicture
from face_training.geometry import covered, overlaps
from face_training.samples.records import NEGATIVE_BELOW, PART_FROM, POSITIVE_FROM, Kind

NO_SAMPLE = -1


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
