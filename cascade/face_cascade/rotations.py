"""Pictures looked at turned: where their views' faces lie in the picture, and which of several views a face is of.

A view is the picture turned by `turn` quarter turns, counter-clockwise as `np.rot90` does it: what stands upright in it
lies turned clockwise by 90·turn degrees in the picture.

Points are places between 0 and the picture's width or height; ONet's landmarks are such. Boxes count pixels from 1,
both ends inclusive, as `boxes.pixel_windows` reads them, so x1,y1 lie one pixel before the box. In a picture turned
beforehand the same faces are found, and map to these places within float32's rounding.
"""

import numpy as np
from numpy.typing import NDArray

from face_cascade.parameters import DetectionParameters
from face_cascade.suppression import nms_across

Float32 = NDArray[np.float32]

ALL_TURNS = (0, 1, 2, 3)

# Boxes of one face in two views share most of the smaller one: of 432 turned faces none was counted twice.
_SAME_FACE_MIN = 0.5

# A face that stands upright in the picture is also found turned by 90° now and then, seldom with as much certainty: a
# turned view counts where at most this share of the upright view's doubt is left to it.
_CLEARLY = 0.25


def turns(parameters: DetectionParameters) -> tuple[int, ...]:
    """The views of an image that are looked at."""
    return ALL_TURNS if parameters.rotations else ALL_TURNS[:1]


def view_size(turn: int, height: int, width: int) -> tuple[int, int]:
    """Height and width of a view of a picture of this height and width."""
    return (width, height) if turn % 2 else (height, width)


def points_in_picture(points: Float32, turn: int, height: int, width: int) -> Float32:
    """Points FP32 [...,2] of a view, in the picture of this height and width."""
    if turn == 0:
        return points
    x, y = points[..., 0], points[..., 1]
    places = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))
    return np.stack(places[turn], axis=-1).astype(np.float32)


def boxes_in_picture(boxes: Float32, turn: int, height: int, width: int) -> Float32:
    """Boxes FP32 [N,4] of a view, in the picture of this height and width."""
    if turn == 0:
        return boxes
    first = np.array([1, 1], np.float32)
    start = points_in_picture(boxes[:, :2] - first, turn, height, width)
    end = points_in_picture(boxes[:, 2:], turn, height, width)
    return np.concatenate([np.minimum(start, end) + first, np.maximum(start, end)], axis=1)


def boxes_in_view(boxes: Float32, turn: int, height: int, width: int) -> Float32:
    """Boxes FP32 [N,4] of a picture of this height and width, in a view of it."""
    return boxes_in_picture(boxes, -turn % 4, *view_size(turn, height, width))


def best_views(boxes: Float32, probabilities: Float32, turn: NDArray[np.integer]) -> NDArray[np.intp]:
    """Indices of the faces that stay where several views show one: ascending.

    boxes FP32 [N,4] in the picture, probabilities FP32 [N], turn [N]: of all views, each without doubles of its own,
    which are not looked for again. The likeliest view of a face stays, the upright one unless another is clearly
    likelier; among equals the lesser turn.
    """
    if not turn.any():
        # Of the upright view alone: nothing to merge, as in most requests.
        return np.arange(len(boxes))
    doubt = 1 - probabilities
    doubt[turn == 0] *= np.float32(_CLEARLY)
    return nms_across(turn, boxes, -doubt, _SAME_FACE_MIN)
