"""Which boxes of one answer are which of another. Boxes are x1, y1, x2, y2 [N, 4] in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Which faces of two answers to one picture are the same. Boxes are x1, y1, x2, y2 [N, 4] in pixels.


Boxes = NDArray[np.floating[Any]]


def match(first: Boxes, second: Boxes, least: float) -> list[tuple[int, int]]:
    """Indices of boxes [N, 4] and [M, 4] that overlap by an IoU of `least` or more, each used once, best overlap
    first."""
    overlaps = iou(first, second)
    pairs = []
    while overlaps.size and overlaps.max() >= least:
        i, j = (int(n) for n in np.unravel_index(overlaps.argmax(), overlaps.shape))
        pairs.append((i, j))
        overlaps[i, :] = overlaps[:, j] = -1
    return pairs


def iou(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union [N, M] of boxes [N, 4] and [M, 4]; a box that is turned over has no area."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = _areas(first)[:, None] + _areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


# Which box of one frame is which box of another.
#
# Boxes are x1, y1, x2, y2, float, [N, 4].


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
    # Not at the top: `match` and `iou` are for those too who have no SciPy.
    from scipy.optimize import linear_sum_assignment

    gain = np.maximum(affinity - least, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns) if gain[row, column] > 0]


def _area(top_left: NDArray[np.float64], bottom_right: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for a box that is turned over."""
    area: NDArray[np.float64] = np.prod(np.maximum(bottom_right - top_left, 0), axis=-1)
    return area


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
