"""Non-maximum suppression (NMS), float32 as the reference has it, in time that grows with the number of boxes.

Boxes are FP32 [N,4], x1,y1,x2,y2 in pixels, on the host. Few are compared each with each, several with one instruction.
From `_MANY` on a grid says which can overlap enough; that changes the time, never the answer.
"""

from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from face_cascade.machine_code import kept

Float32 = NDArray[np.float32]
Indices = NDArray[np.intp]

# Below, comparing all is as fast or faster, whatever their sizes.
_MANY = 2048

# Levels of the grid: sides below 2, 4, … 2^24 pixels. A picture's side ends at 65,535.
_LEVELS = 24


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


def nms_within(groups: NDArray[np.integer], boxes: Float32, scores: Float32, threshold: float) -> Indices:
    """`nms` in each group by itself: indices of those kept, ascending. groups: [N], ascending, below 65,536."""
    order = by_score(scores)
    # Few groups: numbers of 16 bits are sorted by radix, and stay in order of score.
    order = order[np.argsort(groups[order].astype(np.uint16), kind="stable")]
    ends = np.flatnonzero(np.diff(groups, append=-1)) + 1
    kept = _kept_in_groups(np.ascontiguousarray(boxes[order]), ends, np.float32(threshold))
    return np.sort(order[kept])


def nms_across(groups: NDArray[np.integer], boxes: Float32, scores: Float32, threshold: float) -> Indices:
    """Indices of those kept, ascending: a box is dropped only for a kept one of another of the groups [N].

    By intersection over the smaller area, without +1. Each is compared with each: of faces there are few.
    """
    order = by_score(scores)
    kept = _kept_across(groups[order].astype(np.int32), np.ascontiguousarray(boxes[order]), np.float32(threshold))
    return np.sort(order[kept])


def nms_min(boxes: Float32, scores: Float32, threshold: float) -> Indices:
    """Like `nms`, by intersection over the smaller area and with the +1 of whole-pixel boxes.

    MTCNN's last step: a small box inside a large one goes, although their union is large. Among equal scores
    the later comes first, as in facenet-pytorch's ascending sort taken from its end.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    return order[_kept(np.ascontiguousarray(boxes[order]), np.float32(threshold), np.float32(1), True)]


_compiled = partial(numba.njit, error_model="numpy")


@_compiled()
def _edges(boxes, plus):  # type: ignore[no-untyped-def]
    """x1, y1, x2, y2 and area of all boxes, FP32 [5,N]. Sides are x2 - x1 + plus.

    Value by value: to assign slices brings the text of an error along, which takes longer to compile than all this.
    """
    edges = np.empty((5, boxes.shape[0]), np.float32)
    for i in range(boxes.shape[0]):
        for side in range(4):
            edges[side, i] = boxes[i, side]
        edges[4, i] = (boxes[i, 2] - boxes[i, 0] + plus) * (boxes[i, 3] - boxes[i, 1] + plus)
    return edges


@_compiled()
def _near(boxes, limit):  # type: ignore[no-untyped-def]
    """Whether all coordinates are within the limit. NaN is not."""
    for i in range(boxes.shape[0]):
        for side in range(4):
            if not -limit < boxes[i, side] < limit:
                return False
    return True


@_compiled()
def _overlap(one, other, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Intersection of two boxes, x1, y1, x2, y2 and area each, over their union or over the smaller of their areas.

    Minimum and maximum are written out: those of Python have a rule for NaN.
    """
    zero = np.float32(0)
    x1 = one[0] if one[0] > other[0] else other[0]
    y1 = one[1] if one[1] > other[1] else other[1]
    x2 = one[2] if one[2] < other[2] else other[2]
    y2 = one[3] if one[3] < other[3] else other[3]
    width, height = x2 - x1 + plus, y2 - y1 + plus
    inter = (width if width > zero else zero) * (height if height > zero else zero)
    smaller = one[4] if one[4] < other[4] else other[4]
    return inter / (smaller if over_smaller else one[4] + other[4] - inter)


@_compiled()
def _drop(edges, i, dropped, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Marks the boxes after i that box i suppresses.

    LLVM makes vector instructions of the loop as long as it has no branch and its index cannot be negative.
    """
    box = (edges[0, i], edges[1, i], edges[2, i], edges[3, i], edges[4, i])
    x1, y1, x2, y2 = edges[0, i + 1 :], edges[1, i + 1 :], edges[2, i + 1 :], edges[3, i + 1 :]
    areas, after = edges[4, i + 1 :], dropped[i + 1 :]
    for j in range(after.shape[0]):
        over = _overlap(box, (x1[j], y1[j], x2[j], y2[j], areas[j]), plus, over_smaller)
        after[j] |= np.int32(over > threshold)


@_compiled()
def _kept_of_few(boxes, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """`_kept`, by comparing all."""
    edges = _edges(boxes, plus)
    dropped = np.zeros(boxes.shape[0], np.int32)
    for i in range(boxes.shape[0]):
        if not dropped[i]:
            _drop(edges, i, dropped, threshold, plus, over_smaller)
    return dropped == 0


@_compiled()
def _in_chain(edges, i, first, following, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Whether one of a chain of kept boxes suppresses box i. -1 ends a chain."""
    box = (edges[0, i], edges[1, i], edges[2, i], edges[3, i], edges[4, i])
    j = first
    while j >= 0:
        over = _overlap((edges[0, j], edges[1, j], edges[2, j], edges[3, j], edges[4, j]), box, plus, over_smaller)
        if over > threshold:
            return True
        j = following[j]
    return False


@_compiled()
def _slot(level, column, row, slots):  # type: ignore[no-untyped-def]
    """Where in the hash table a cell's chain begins. Cells may share one: that costs time, and changes nothing."""
    mixed = np.uint64(level) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= np.uint64(column) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= np.uint64(row) * np.uint64(0x165667B19E3779F9)
    return np.int64((mixed ^ (mixed >> np.uint64(29))) % np.uint64(slots))


@_compiled()
def _farthest(width, height, cell, threshold, over_smaller):  # type: ignore[no-untyped-def]
    """How far in x and y the centre of a box, none of whose sides is longer than `cell`, may lie from that of a box of
    this width and height, where their overlap is above the threshold. A little more, for what float32 rounds.

    To have any intersection: half of both sides. Intersection over union is at most that of the sides in x (or y), i/u;
    the centres are at most (u - i)/2 apart, and u < shorter/threshold: so (1 - threshold)/2·threshold of the shorter.
    """
    if over_smaller:
        return (width + cell) / 2 + 0.01, (height + cell) / 2 + 0.01
    part = 1.001 * (1 - threshold) / (2 * threshold)
    return min(width, cell) * part + 0.01, min(height, cell) * part + 0.01


@_compiled()
def _kept_of_many(boxes, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """`_kept`, by a grid for each power of two of the longer side, in which a kept box lies with its centre.

    A cell of level n measures 2^(n+1) pixels, more than any side there. By intersection over union only boxes of
    similar sides come into question: if that is above 1/2, of the same level or the next.
    """
    count = boxes.shape[0]
    edges = _edges(boxes, plus)
    heads, following = np.full(2 * count, -1, np.int32), np.full(count, -1, np.int32)
    # Also one chain for each level: where it has fewer boxes than there are cells to look at.
    level_heads, in_level = np.full(_LEVELS, -1, np.int32), np.full(count, -1, np.int32)
    sizes = np.zeros(_LEVELS, np.int64)
    reach = _LEVELS if over_smaller else np.int64(np.ceil(-np.log2(threshold - 1e-5)))
    keep = np.ones(count, np.bool_)
    for i in range(count):
        width = np.float64(boxes[i, 2]) - boxes[i, 0] + plus
        height = np.float64(boxes[i, 3]) - boxes[i, 1] + plus
        if width <= 0 or height <= 0:
            # Nothing intersects it.
            continue
        x, y = boxes[i, 0] + width / 2, boxes[i, 1] + height / 2
        level = np.int64(np.log2(max(width, height, 1.0)))
        for other in range(max(level - reach, 0), min(level + reach + 1, _LEVELS)):
            if sizes[other] == 0:
                continue
            cell = 2.0 ** (other + 1)
            far_x, far_y = _farthest(width, height, cell, threshold, over_smaller)
            left, right = np.int64(np.floor((x - far_x) / cell)), np.int64(np.floor((x + far_x) / cell))
            top, bottom = np.int64(np.floor((y - far_y) / cell)), np.int64(np.floor((y + far_y) / cell))
            if (right - left + 1) * (bottom - top + 1) > sizes[other]:
                if _in_chain(edges, i, level_heads[other], in_level, threshold, plus, over_smaller):
                    keep[i] = False
            else:
                for row in range(top, bottom + 1):
                    for column in range(left, right + 1):
                        first = heads[_slot(other, column, row, len(heads))]
                        if keep[i] and _in_chain(edges, i, first, following, threshold, plus, over_smaller):
                            keep[i] = False
            if not keep[i]:
                break
        if keep[i]:
            cell = 2.0 ** (level + 1)
            slot = _slot(level, np.int64(np.floor(x / cell)), np.int64(np.floor(y / cell)), len(heads))
            following[i], heads[slot] = heads[slot], i
            in_level[i], level_heads[level] = level_heads[level], i
            sizes[level] += 1
    return keep


@kept("boolean[::1](float32[:,::1], float32, float32, boolean)")
def _kept(boxes, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Which of the boxes, best first, no better one that is kept suppresses. Sides are x2 - x1 + plus."""
    # A network gone mad may send boxes anywhere, or answer with NaN, which is not below either.
    if boxes.shape[0] >= _MANY and _near(boxes, 2.0 ** (_LEVELS - 2)):
        return _kept_of_many(boxes, threshold, plus, over_smaller)
    return _kept_of_few(boxes, threshold, plus, over_smaller)


@kept("boolean[::1](float32[:,::1], intp[::1], float32)")
def _kept_in_groups(boxes, ends, threshold):  # type: ignore[no-untyped-def]
    """`_kept` for boxes in groups on end, each of which stops before its end."""
    keep = np.empty(len(boxes), np.bool_)
    start = 0
    for end in ends:
        in_group = _kept(boxes[start:end], threshold, np.float32(0), False)
        for i in range(end - start):
            keep[start + i] = in_group[i]
        start = end
    return keep


@kept("boolean[::1](int32[::1], float32[:,::1], float32)")
def _kept_across(groups, boxes, threshold):  # type: ignore[no-untyped-def]
    """Which of the boxes, best first, no better one of another group that is kept suppresses."""
    edges, none = np.ascontiguousarray(_edges(boxes, np.float32(0)).T), np.float32(0)
    keep = np.ones(len(groups), np.bool_)
    for i in range(len(groups)):
        for j in range(i):
            if keep[j] and groups[j] != groups[i] and _overlap(edges[j], edges[i], none, True) > threshold:
                keep[i] = False
                break
    return keep
