"""Box arithmetic of the cascade and non-maximum suppression, float32 as the reference has it.

Boxes are FP32 [N,4], x1,y1,x2,y2 in pixels. Everything is on the host: thousands of boxes are little data.
"""

import numba
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Indices = NDArray[np.intp]


def cell_boxes(rows: NDArray[np.integer], columns: NDArray[np.integer], scales: Float32 | float) -> Float32:
    """Image boxes that PNet's cells look at: ⌊(2·cell+1)/scale⌋ and ⌊(2·cell+12)/scale⌋; one scale a cell, or one.

    In float32 as torch computes it: with the first scale 0.6 a third of the quotients are whole numbers, and
    float64 would move a quarter of the boxes by a pixel.
    """
    divisors = np.asarray(scales, np.float32)
    boxes = np.empty((len(rows), 4), np.float32)
    for edge, (cells, offset) in enumerate(((columns, 1), (rows, 1), (columns, 12), (rows, 12))):
        np.floor((2 * cells + offset).astype(np.float32) / divisors, out=boxes[:, edge])
    return boxes


def refine(boxes: Float32, regression: Float32, plus_one: bool) -> Float32:
    """Moves each edge by its regression times the box's width or height.

    `plus_one`: sizes are x2−x1+1, as after RNet and ONet; PNet's are x2−x1.
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    if plus_one:
        sizes = sizes + np.float32(1)
    return boxes + regression * np.concatenate([sizes, sizes], axis=1)


def squared(boxes: Float32) -> Float32:
    """The square around each box's centre whose side is its longer one."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    side = sizes.max(axis=1, keepdims=True)
    start = boxes[:, :2] + sizes * np.float32(0.5) - side * np.float32(0.5)
    return np.concatenate([start, start + side], axis=1)


def pixel_windows(boxes: Float32, height: int, width: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Whole-pixel windows of boxes, cut to the image: INT32 [N,4] x1,y1,x2,y2, end exclusive.

    Boxes count pixels from 1 here, both ends inclusive, and are truncated towards zero. Also says which windows
    hold at least one pixel, BOOL [N]; boxes beside the image do not.
    """
    # Bounded first: a regression far outside of the image must not overflow the conversion.
    whole = np.trunc(np.clip(boxes, -1e6, 1e6)).astype(np.int32)
    starts = np.maximum(whole[:, :2], 1) - 1
    ends = np.minimum(whole[:, 2:], np.array([width, height], np.int32))
    return np.concatenate([starts, ends], axis=1).astype(np.int32), (ends > starts).all(axis=1)


def landmark_points(boxes: Float32, landmarks: Float32) -> Float32:
    """ONet's landmarks, FP32 [N,10] (five x, five y, relative to the box), as image points FP32 [N,5,2]."""
    sizes = boxes[:, 2:] - boxes[:, :2] + np.float32(1)
    relative = landmarks.reshape(-1, 2, 5)
    points = sizes[:, :, None] * relative + boxes[:, :2, None] - np.float32(1)
    return np.ascontiguousarray(points.transpose(0, 2, 1))


def areas(boxes: Float32) -> Float32:
    """Width times height, FP32 [N]."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    return sizes[:, 0] * sizes[:, 1]


def by_score(scores: Float32) -> Indices:
    """Order by descending score; among equals the earlier stays first (scores tie at 1.0)."""
    return np.argsort(-scores, kind="stable")


def nms(boxes: Float32, scores: Float32, threshold: float) -> Indices:
    """Indices of the boxes kept, by descending score.

    Args:
        boxes: FP32 [N,4], x1,y1,x2,y2.
        scores: FP32 [N].
        threshold: a box is dropped if its intersection over union with a kept one is above this
            (as `torchvision.ops.nms`: areas without +1).
    """
    order = by_score(scores)
    return order[_kept(np.ascontiguousarray(boxes[order]), np.float32(threshold), np.float32(0), False)]


def nms_within(
    groups: NDArray[np.intp], boxes: Float32, scores: Float32, threshold: float, most: int
) -> tuple[Indices, int]:
    """`nms` in each group by itself, of its `most` likeliest boxes: indices of those kept, ascending, and how many were
    left out. groups: INTP [N], ascending, below 65,536."""
    order = by_score(scores)
    # Few groups: numbers of 16 bits are sorted by radix, and stay in order of score.
    order = order[np.argsort(groups[order].astype(np.uint16), kind="stable")]
    starts = np.searchsorted(groups, groups, side="left")
    left_out = np.arange(len(groups)) - starts >= most
    order = order[~left_out]
    ends = np.flatnonzero(np.diff(groups[order], append=-1)) + 1
    kept = _kept_in_groups(np.ascontiguousarray(boxes[order]), ends, np.float32(threshold))
    return np.sort(order[kept]), int(left_out.sum())


def nms_min(boxes: Float32, scores: Float32, threshold: float) -> Indices:
    """Like `nms`, by intersection over the smaller area and with the +1 of whole-pixel boxes.

    MTCNN's last step: a small box inside a large one goes, although their union is large. Among equal scores
    the later comes first, as in facenet-pytorch's ascending sort taken from its end.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    return order[_kept(np.ascontiguousarray(boxes[order]), np.float32(threshold), np.float32(1), True)]


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _drop(edges, i, dropped, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Marks the boxes after i that box i suppresses.

    edges: x1, y1, x2, y2 and area of all boxes, FP32 [5,N]. LLVM makes vector instructions of the loop as long as it
    has no branch and its index cannot be negative. Minimum and maximum are written out: those of Python have a rule for
    NaN.
    """
    left, top, right, bottom, area = edges[0, i], edges[1, i], edges[2, i], edges[3, i], edges[4, i]
    lefts, tops, rights, bottoms = edges[0, i + 1 :], edges[1, i + 1 :], edges[2, i + 1 :], edges[3, i + 1 :]
    areas, after = edges[4, i + 1 :], dropped[i + 1 :]
    zero = np.float32(0)
    for j in range(after.shape[0]):
        x1 = left if left > lefts[j] else lefts[j]
        y1 = top if top > tops[j] else tops[j]
        x2 = right if right < rights[j] else rights[j]
        y2 = bottom if bottom < bottoms[j] else bottoms[j]
        width, height = x2 - x1 + plus, y2 - y1 + plus
        inter = (width if width > zero else zero) * (height if height > zero else zero)
        smaller = area if area < areas[j] else areas[j]
        whole = smaller if over_smaller else area + areas[j] - inter
        after[j] |= np.int32(inter / whole > threshold)


@numba.njit("boolean[::1](float32[:,::1], float32, float32, boolean)", nogil=True, cache=True, error_model="numpy")
def _kept(boxes, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Which of the boxes, best first, no better one that is kept suppresses. Sides are x2 - x1 + plus."""
    n = boxes.shape[0]
    edges = np.empty((5, n), np.float32)
    edges[:4] = boxes.T
    edges[4] = (boxes[:, 2] - boxes[:, 0] + plus) * (boxes[:, 3] - boxes[:, 1] + plus)
    dropped = np.zeros(n, np.int32)
    for i in range(n):
        if not dropped[i]:
            _drop(edges, i, dropped, threshold, plus, over_smaller)
    return dropped == 0


@numba.njit("boolean[::1](float32[:,::1], intp[::1], float32)", nogil=True, cache=True, error_model="numpy")
def _kept_in_groups(boxes, ends, threshold):  # type: ignore[no-untyped-def]
    """`_kept` for boxes in groups on end, each of which stops before its end."""
    keep = np.empty(len(boxes), np.bool_)
    start = 0
    for end in ends:
        keep[start:end] = _kept(boxes[start:end], threshold, np.float32(0), False)
        start = end
    return keep
