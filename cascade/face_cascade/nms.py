"""Non-maximum suppression."""

import numba
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Indices = NDArray[np.intp]


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


def nms_min(boxes: Float32, scores: Float32, threshold: float) -> Indices:
    """Like `nms`, by intersection over the smaller area and with the +1 of whole-pixel boxes.

    MTCNN's last step: a small box inside a large one goes, although their union is large. Among equal scores
    the later comes first, as in facenet-pytorch's ascending sort taken from its end.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    return order[_kept(np.ascontiguousarray(boxes[order]), np.float32(threshold), np.float32(1), True)]


@numba.njit("boolean[::1](float32[:,::1], float32, float32, boolean)", nogil=True, cache=True, error_model="numpy")
def _kept(boxes, threshold, plus, over_smaller):  # type: ignore[no-untyped-def]
    """Which of the boxes, best first, no better one that is kept suppresses. Sides are x2 - x1 + plus."""
    n = boxes.shape[0]
    keep = np.ones(n, np.bool_)
    zero = np.float32(0)
    areas = (boxes[:, 2] - boxes[:, 0] + plus) * (boxes[:, 3] - boxes[:, 1] + plus)
    for i in range(n):
        if not keep[i]:
            continue
        for j in range(i + 1, n):
            if not keep[j]:
                continue
            width = max(zero, min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0]) + plus)
            height = max(zero, min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1]) + plus)
            inter = width * height
            whole = min(areas[i], areas[j]) if over_smaller else areas[i] + areas[j] - inter
            if inter / whole > threshold:
                keep[j] = False
    return keep
