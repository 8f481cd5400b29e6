"""Answers of `MTCNN.detect_faces` drawn into their picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_client.drop_in import as_pixels
from face_client.mtcnn.rows import as_dicts

_YELLOW = (255, 255, 0)
_DOT = 2

Detection = Union[dict[str, Any], NDArray[Any]]
"""A face as detect_faces returns it: a dictionary, or a row of the "numpy" output."""


def plot(
    image: Any, detection: Detection | Sequence[Detection], input_as_width_height: bool = True
) -> NDArray[np.uint8] | None:
    """A copy of the picture, uint8 RGB [H, W, 3], with boxes and keypoints in yellow; None where there is no face.

    image: RGB [H, W, 3] of any number type, levels 0…255. detection: one face, or all faces of the picture.
    input_as_width_height: False for boxes made with box_format="xyxy".
    """
    if len(detection) == 0:
        return None
    picture = Image.fromarray(as_pixels(image))
    pen = ImageDraw.Draw(picture)
    for face in _faces(detection):
        x1, y1, x2, y2 = face["box"]
        if input_as_width_height:
            x2, y2 = x1 + x2, y1 + y2
        pen.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=_YELLOW)
        for x, y in face.get("keypoints", {}).values():
            pen.rectangle((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=_YELLOW)
    return np.array(picture)


def _faces(detection: Any) -> Sequence[dict[str, Any]]:
    """The faces as dictionaries."""
    if isinstance(detection, dict):
        return [detection]
    if isinstance(detection, np.ndarray):
        return as_dicts(np.atleast_2d(detection))
    return [face for one in detection for face in _faces(one)]
