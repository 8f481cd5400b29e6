"""Which box of one frame is which box of another.

Boxes are x1, y1, x2, y2, float, [N, 4].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


def distance_iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """[A, B]: IoU less the squared distance of the centres over the squared diagonal around both boxes.

    From −1 to 1; 1 for equal boxes. Unlike IoU it still tells near from far where boxes do not touch (Zheng
    et al., Distance-IoU Loss, AAAI 2020, equation 7).
    """
    a, b = a[:, None].astype(np.float64), b[None].astype(np.float64)
    overlap = _area(np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:]))
    union = _area(a[..., :2], a[..., 2:]) + _area(b[..., :2], b[..., 2:]) - overlap
    around = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    between = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return _share(overlap, union) - _share((between**2).sum(axis=-1), (around**2).sum(axis=-1))


def assign(affinity: NDArray[np.floating], least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of an affinity matrix [R, C]: each row and column at most once, no pair below `least`.

    Of all such choices, the one with the largest sum of what the pairs have above `least` (SciPy's
    `linear_sum_assignment`).
    """
    gain = np.maximum(affinity - least, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns) if gain[row, column] > 0]


def _area(top_left: NDArray[np.float64], bottom_right: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for a box that is turned over."""
    area: NDArray[np.float64] = np.prod(np.maximum(bottom_right - top_left, 0), axis=-1)
    return area


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
