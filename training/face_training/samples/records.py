"""What a sample holds: one row of a structured array, which lies in a .npy file as it is."""

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Records = NDArray[np.void]


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


POSITIVE_FROM = 0.65
PART_FROM = 0.4
NEGATIVE_BELOW = 0.3
"""Bands of the intersection over union with a face; what lies between them is no sample."""


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
