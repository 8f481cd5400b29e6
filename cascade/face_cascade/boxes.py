"""Box arithmetic of the cascade, float32 as the reference has it.

Boxes are FP32 [N,4], x1,y1,x2,y2 in pixels. Everything is on the host: thousands of boxes are little data.
"""

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]


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
    # Edges as rows: NumPy takes rows of two values one by one.
    edges = np.ascontiguousarray(boxes.T)
    sizes = edges[2:] - edges[:2]
    side = np.maximum(sizes[0], sizes[1])
    start = edges[:2] + sizes * np.float32(0.5) - side * np.float32(0.5)
    return np.ascontiguousarray(np.concatenate([start, start + side]).T)


def pixel_windows(boxes: Float32, height: int, width: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Whole-pixel windows of boxes, cut to the image: INT32 [N,4] x1,y1,x2,y2, end exclusive.

    Boxes count pixels from 1 here, both ends inclusive, and are truncated towards zero. Also says which windows
    hold at least one pixel, BOOL [N]; boxes beside the image do not.
    """
    edges = np.ascontiguousarray(boxes.T)
    # Bounded first: a regression far outside of the image must not overflow the conversion, which truncates.
    edges = np.minimum(np.maximum(edges, np.float32(-1e6)), np.float32(1e6)).astype(np.int32)
    edges[:2] = np.maximum(edges[:2], 1) - 1
    x1, y1, x2, y2 = edges
    np.minimum(x2, width, out=x2)
    np.minimum(y2, height, out=y2)
    return np.ascontiguousarray(edges.T), (x2 > x1) & (y2 > y1)


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
