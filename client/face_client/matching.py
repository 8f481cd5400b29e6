"""Which faces of two answers to one picture are the same. Boxes are x1, y1, x2, y2 [N, 4] in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

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
