"""Answers of `MTCNN.detect_faces` drawn into their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_client.drop_in import InvalidValue, NotHere, as_pixels
from face_client.images import in_three
from face_client.mtcnn.rows import as_dicts
from face_client.mtcnn.utils.bboxes import parse_bbox
from face_client.mtcnn.utils.landmarks import parse_landmarks

_YELLOW = "#FFFF00"
_DOT = 2
_SHORT = 3

Detection = Union[dict[str, Any], NDArray[Any]]
"""A face as detect_faces returns it: a dictionary, or a row of the "numpy" output."""


def plot(
    image: Any, detection: Detection | Sequence[Detection], input_as_width_height: bool = True
) -> NDArray[np.uint8] | None:
    """A copy of the picture, uint8 RGB [H, W, 3], with boxes and keypoints in yellow; None where there is no face.

    image: RGB [H, W, 3] of any number type, levels 0…255. detection: one face, or all faces of the picture.
    input_as_width_height: False for boxes made with box_format="xyxy".
    """
    return None if len(detection) == 0 else plot_all(image, detection, input_as_width_height)


def plot_all(
    image: Any, detections: Detection | Sequence[Detection], input_as_width_height: bool = True
) -> NDArray[np.uint8]:
    """`plot` that gives the picture back also where there is no face."""
    pixels = as_pixels(image)
    for face in _faces(detections):
        pixels = plot_bbox(pixels, face, input_as_width_height=input_as_width_height)
        if face.get("keypoints"):
            pixels = plot_landmarks(pixels, face)
    return pixels.copy()


def plot_bbox(
    image: Any,
    bbox: Any,
    color: Any = _YELLOW,
    normalize_color: bool = False,
    input_as_width_height: bool = True,
) -> NDArray[np.uint8]:
    """A copy of the picture with a box. bbox: as for `parse_bbox`. color: as for `parse_color`.

    normalize_color: for pictures from 0 to 1 there; NotHere, pictures have grey levels here.
    """
    picture, pen = _canvas(image, normalize_color)
    x1, y1, x2, y2 = parse_bbox(bbox, False, input_as_width_height).tolist()
    pen.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=_ink(color))
    return np.array(picture)


def plot_landmarks(
    image: Any,
    landmarks: Any,
    color: Any = _YELLOW,
    keypoints: str = "nose,mouth_right,right_eye,left_eye,mouth_left",
    brush_size: int = _DOT,
    normalize_color: bool = False,
) -> NDArray[np.uint8]:
    """A copy of the picture with the points of these names. landmarks: as for `parse_landmarks`; other arguments as for
    `plot_bbox`. A face without landmarks leaves the picture as it is."""
    picture, pen = _canvas(image, normalize_color)
    try:
        points = parse_landmarks(landmarks)
    except IndexError:
        points = {}
    for name in (name.strip() for name in keypoints.split(",")):
        if name in points:
            x, y = points[name]
            pen.rectangle((x - brush_size, y - brush_size, x + brush_size, y + brush_size), fill=_ink(color))
    return np.array(picture)


def parse_color(color: Any) -> Any:
    """Red, green and blue from 0 to 1 of "#FFFF00", "0xFFFF00" or "#FF0"; anything but text comes back as it is.

    Raises InvalidValue for other text.
    """
    if not isinstance(color, str):
        return color
    digits = color.removeprefix("#").removeprefix("0x")
    digits = "".join(2 * digit for digit in digits) if len(digits) == _SHORT else digits
    try:
        levels = bytes.fromhex(digits)
    except ValueError:
        levels = b""
    if len(levels) != len("RGB"):
        raise InvalidValue(f"color is {color!r}; it must be like #FFFF00 or #FF0")
    return np.frombuffer(levels, np.uint8) / 255


def _canvas(image: Any, normalize_color: bool) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    if normalize_color:
        raise NotHere("normalize_color is for pictures from 0 to 1; pictures have grey levels from 0 to 255 here")
    picture = Image.fromarray(in_three(as_pixels(image)))
    return picture, ImageDraw.Draw(picture)


def _ink(color: Any) -> tuple[int, ...]:
    """Grey levels of a color from 0 to 1."""
    return tuple(int(level) for level in (np.asarray(parse_color(color)) * 255).astype(np.uint8))


def _faces(detection: Any) -> Sequence[dict[str, Any]]:
    """The faces as dictionaries."""
    if isinstance(detection, dict):
        return [detection]
    if isinstance(detection, np.ndarray):
        return as_dicts(np.atleast_2d(detection)) if detection.size else []
    return [face for one in detection for face in _faces(one)]
