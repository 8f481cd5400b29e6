"""Which boxes of one answer are which of another. Boxes are x1, y1, x2, y2 [N, 4] in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


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


def assign(affinity: NDArray[np.floating[Any]], least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of an affinity matrix [R, C]: each row and column at most once, no pair below `least`.

    Of all such choices, the one with the largest sum of what the pairs have above `least` (SciPy's
    `linear_sum_assignment`).
    """
    # Not at the top: `match` is for callers without SciPy too.
    from scipy.optimize import linear_sum_assignment

    gain = np.maximum(affinity - least, 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    return [(int(row), int(column)) for row, column in zip(rows, columns) if gain[row, column] > 0]


def iou(first: Boxes, second: Boxes) -> Floats:
    """Intersection over union [N, M] of boxes [N, 4] and [M, 4]; a box that is turned over has no area."""
    a, b = _opposite(first, second)
    shared = _area(np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:]))
    return _share(shared, _area(a[..., :2], a[..., 2:]) + _area(b[..., :2], b[..., 2:]) - shared)


def distance_iou(first: Boxes, second: Boxes) -> Floats:
    """[N, M]: IoU less the squared distance of the centres over the squared diagonal around both boxes.

    From −1 to 1; 1 for equal boxes. Unlike IoU it still tells near from far where boxes do not touch (Zheng
    et al., Distance-IoU Loss, AAAI 2020, equation 7).
    """
    a, b = _opposite(first, second)
    around = np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])
    between = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    return iou(first, second) - _share((between**2).sum(axis=-1), (around**2).sum(axis=-1))


def _opposite(first: Boxes, second: Boxes) -> tuple[Floats, Floats]:
    """[N, 1, 4] and [1, M, 4]: each beside each, in double precision."""
    return first[:, None].astype(np.float64), second[None].astype(np.float64)


def _area(top_left: Floats, bottom_right: Floats) -> Floats:
    """0 for a box that is turned over."""
    area: Floats = np.prod(np.maximum(bottom_right - top_left, 0), axis=-1)
    return area


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
