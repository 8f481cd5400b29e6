"""Overlaps, and the targets that the cascade's own decoding turns back into faces.

Boxes are FP32 [N,4], x1,y1,x2,y2. A window is what a crop shows in whole pixels, end exclusive. The cascade calls the
same pixels by another box in each stage (facenet-pytorch's weights were trained so):

- PNet's cell looks at 12 pixels of a level and is called ⌊1/scale⌋ … ⌊12/scale⌋, sizes without +1 (`cell_boxes`).
- RNet and ONet count pixels from 1, both ends inclusive, sizes with +1 (`pixel_windows`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_cascade.boxes import Float32, areas, cell_boxes
from face_cascade.networks import PNET, PNET_STRIDE

Int32 = NDArray[np.int32]


def overlaps(boxes: Float32, faces: Float32) -> Float32:
    """Intersection over union of each box with each face, FP32 [N,G]."""
    shared = _intersections(boxes, faces)
    found: Float32 = shared / (areas(boxes)[:, None] + areas(faces) - shared)
    return found


def covered(boxes: Float32, others: Float32) -> Float32:
    """The share of each box that each other covers, FP32 [N,I]."""
    found: Float32 = _intersections(boxes, others) / areas(boxes)[:, None]
    return found


def _intersections(a: Float32, b: Float32) -> Float32:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, np.float32(0))
    shared: Float32 = sides[..., 0] * sides[..., 1]
    return shared


def pnet_boxes(windows: Int32) -> Float32:
    """What the cascade calls square windows INT32 [N,4] when PNet sees them in 12 pixels."""
    # A scale for each window, so a call for each size.
    boxes = np.empty((len(windows), 4), np.float32)
    sizes = windows[:, 2] - windows[:, 0]
    for size in np.unique(sizes):
        rows = sizes == size
        scale = PNET.side / int(size)
        # A window may start between two cells, so their numbers are fractions here.
        cells: NDArray[Any] = windows[rows, :2] * scale / PNET_STRIDE
        boxes[rows] = cell_boxes(cells[:, 1], cells[:, 0], scale)
    return boxes


def crop_boxes(windows: Int32) -> Float32:
    """What the cascade calls windows INT32 [N,4] that RNet or ONet see: `pixel_windows` gives them back."""
    return (windows + np.array([1, 1, 0, 0])).astype(np.float32)


def regression_targets(boxes: Float32, faces: Float32, plus_one: bool) -> Float32:
    """FP32 [N,4] with `face_cascade.boxes.refine(boxes, targets, plus_one) == faces`, row by row."""
    sizes = boxes[:, 2:] - boxes[:, :2] + np.float32(plus_one)
    return ((faces - boxes) / np.concatenate([sizes, sizes], axis=1)).astype(np.float32)


def landmark_targets(boxes: Float32, points: Float32) -> Float32:
    """FP32 [N,10], five x, then five y, with `landmark_points(boxes, targets) == points` FP32 [N,5,2]."""
    sizes = boxes[:, 2:] - boxes[:, :2] + np.float32(1)
    relative = (points + np.float32(1) - boxes[:, None, :2]) / sizes[:, None]
    return np.ascontiguousarray(relative.transpose(0, 2, 1)).reshape(-1, 10).astype(np.float32)
