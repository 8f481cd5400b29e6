"""A small request that puts all networks of a server to work: whether it answers is the best sign of its health.

Triton says that a model is ready as long as it is loaded, also when the process that runs it is dead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_client.faces import Faces
from face_client.messages import ids_beginning

if TYPE_CHECKING:
    from face_client import FaceClient

ID_PREFIX = "canary-"
"""How the ids of these requests begin, in logs and traces: nobody's pictures."""

_SIDE = 96
_SKIN, _HAIR, _DARK, _LIPS, _WALL = (214, 168, 140), (60, 40, 30), (40, 28, 24), (160, 80, 76), (120, 130, 140)


def canary_picture() -> NDArray[np.uint8]:
    """A drawn face: uint8 [96, 96, 3], RGB."""
    image = Image.new("RGB", (4 * _SIDE, 4 * _SIDE), _WALL)
    draw = ImageDraw.Draw(image)
    draw.ellipse((84, 40, 300, 330), fill=_HAIR)
    draw.ellipse((100, 76, 284, 340), fill=_SKIN)
    for x in (146, 238):
        draw.ellipse((x - 22, 176, x + 22, 196), fill=(240, 236, 232))
        draw.ellipse((x - 10, 174, x + 10, 198), fill=_DARK)
        draw.rectangle((x - 26, 154, x + 26, 162), fill=_HAIR)
    draw.polygon((192, 196, 176, 250, 208, 250), fill=(190, 140, 116))
    draw.ellipse((152, 272, 232, 298), fill=_LIPS)
    return np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def ask_canary(client: FaceClient, recognition: bool = False) -> Faces:
    """What a server finds in the drawn face, with thresholds so low that every stage has something to look at.

    recognition: FaceNet's part too. How many faces it finds depends on its weights; that it answers is what counts.
    Raises FaceError where it does not.
    """
    find = client.recognize if recognition else client.detect
    with ids_beginning(ID_PREFIX):
        return find(canary_picture(), min_face_size=40, threshold_pnet=0.1, threshold_rnet=0, threshold_onet=0)
