"""Faces in pixels, covered: each pixel of the mask is replaced by what a few cells of the face average to, or by black.

The mask has a hard edge. A soft one would mix the covered pixels with the original ones, which could then be had back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import InvalidInput
from face_client.faces import Faces

if TYPE_CHECKING:
    from face_tools.video.frames import Frame

METHODS = ("blur", "pixelate", "mask")
SHAPES = ("ellipse", "box")

CELLS = 4
"""A side of the mask is averaged in so many cells at most, whatever the size of the face."""

LEAST_CELL = 4
"""Pixels that a cell has at least: of a small face there are fewer cells."""

# A detected box ends at forehead, chin and cheeks. The ellipse has to be 1.42 times as large to hold its corners.
GROW = 0.3

_FILL = 0
# The same in Y'CbCr with head room.
_FILLS_OF_PLANES = (16, 128, 128)

Rectangle = tuple[int, int, int, int]
"""Whole pixels: left, top, right, bottom, the last two outside."""


class Style(NamedTuple):
    """How faces are covered. method: one of METHODS. shape: one of SHAPES. grow: share of a box's sides that is added
    on each side."""

    method: str = "blur"
    shape: str = "ellipse"
    grow: float = GROW

    def check(self) -> Style:
        """The style itself. Raises InvalidInput for what is none."""
        for name, value, known in (("method", self.method, METHODS), ("shape", self.shape, SHAPES)):
            if value not in known:
                raise InvalidInput(f"{name} is {value!r}; it must be one of {', '.join(known)}")
        if not 0 <= self.grow < math.inf:
            raise InvalidInput(f"grow is {self.grow}; it must be a number of at least 0")
        return self


def blur_faces(
    image: NDArray[np.uint8],
    faces: Faces | NDArray[np.floating] | Sequence[Sequence[float]],
    *,
    method: str = "blur",
    shape: str = "ellipse",
    grow: float = GROW,
) -> NDArray[np.uint8]:
    """A copy of the image with the faces covered.

    image: uint8 [H, W, 3]. faces: an answer of the client, or boxes x1, y1, x2, y2 [N, 4]; they may pass the border,
    and one that is turned over or has no area covers the pixels that it touches.
    method: "blur" and "pixelate" average the face in at most CELLS x CELLS cells, and draw them smooth or as they are;
        "mask" is black. No other number of the face is in the result.
    shape: "ellipse" or "box". grow: share of the box's width and height that is added on each side.

    Raises InvalidInput for an image or boxes of another kind, and for a box that is not finite.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InvalidInput(f"image is {image.dtype} {list(image.shape)}; it must be uint8 [H, W, 3]")
    covered = image.copy()
    cover(covered, faces.boxes if isinstance(faces, Faces) else faces, Style(method, shape, grow).check())
    return covered


def cover(
    pixels: NDArray[np.uint8],
    boxes: NDArray[np.floating] | Sequence[Sequence[float]],
    style: Style,
    fill: int = _FILL,
) -> None:
    """Cover the boxes [N, 4] in the pixels themselves, [H, W, 3] or a plane [H, W]. fill: what a mask is filled with.

    One after the other in what is covered already: where faces overlap, none is averaged from another's pixels.
    """
    height, width = pixels.shape[:2]
    for box in _checked(boxes):
        around = _grown(box, style.grow)
        left, top, right, bottom = _clipped(around, width, height)
        if left < right and top < bottom:
            patch = pixels[top:bottom, left:right]
            inside = _inside(around, (left, top, right, bottom), style.shape)
            patch[inside] = fill if style.method == "mask" else _averaged(patch, around, style.method)[inside]


def cover_frame(frame: Frame, boxes: Sequence[NDArray[np.float64]], style: Style) -> None:
    """Cover the boxes, in pixels of the frame, in the planes of its picture."""
    # Not at the top: who blurs photos has no need of PyAV.
    from face_tools.video.frames import plane_of

    if not boxes:
        return
    # Decoders look again at pictures that they gave out; where this one does, it becomes a copy.
    frame.picture.make_writable()
    for plane, (fill, halved) in enumerate(zip(_FILLS_OF_PLANES, (1, 2, 2))):
        cover(plane_of(frame.picture, plane), np.asarray(boxes, np.float64) / halved, style, fill)


def _checked(boxes: NDArray[np.floating] | Sequence[Sequence[float]]) -> NDArray[np.float64]:
    array = np.asarray(boxes, np.float64)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise InvalidInput(f"boxes are {list(array.shape)}; they must be [N, 4]")
    if not np.isfinite(array).all():
        # Nobody knows what it should have covered.
        raise InvalidInput("a box is not finite")
    return array


def _grown(box: NDArray[np.float64], grow: float) -> Rectangle:
    """The box with `grow` of its sides around it: every pixel that it touches, one at least. May pass the border."""
    (left, right), (top, bottom) = sorted((float(box[0]), float(box[2]))), sorted((float(box[1]), float(box[3])))
    x, y = grow * (right - left), grow * (bottom - top)
    left, top = math.floor(left - x), math.floor(top - y)
    return left, top, max(left + 1, math.ceil(right + x)), max(top + 1, math.ceil(bottom + y))


def _clipped(around: Rectangle, width: int, height: int) -> Rectangle:
    left, top, right, bottom = around
    return max(0, left), max(0, top), min(width, right), min(height, bottom)


def _inside(around: Rectangle, part: Rectangle, shape: str) -> NDArray[np.bool_]:
    """Which pixels of `part` are of the mask, bool [H, W]: all, or those whose centres the ellipse in `around` has."""
    left, top, right, bottom = part
    if shape == "box":
        return np.ones((bottom - top, right - left), bool)
    x = (np.arange(left, right) * 2.0 + 1 - around[0] - around[2]) / (around[2] - around[0])
    y = (np.arange(top, bottom) * 2.0 + 1 - around[1] - around[3]) / (around[3] - around[1])
    return x * x + (y * y)[:, None] <= 1


def _averaged(patch: NDArray[np.uint8], around: Rectangle, method: str) -> NDArray[np.uint8]:
    """The patch, out of the averages of its cells alone. A face beyond the border has no finer cells for it."""
    height, width = patch.shape[:2]
    columns = _cells(width, around[2] - around[0])
    rows = _cells(height, around[3] - around[1])
    cells = Image.fromarray(patch).resize((columns, rows), Image.Resampling.BOX)
    if method == "blur":
        return np.asarray(cells.resize((width, height), Image.Resampling.BICUBIC))
    # The cell that a pixel's centre lies in. Pillow's own way rounds now here, now there.
    row, column = (
        (2 * np.arange(height) + 1) * rows // (2 * height),
        (2 * np.arange(width) + 1) * columns // (2 * width),
    )
    return np.asarray(cells)[row[:, None], column]


def _cells(visible: int, whole: int) -> int:
    return max(1, min(CELLS * visible // whole, visible // LEAST_CELL))
