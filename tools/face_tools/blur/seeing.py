"""What a picture shows when its faces are to be covered: the server and the copy must see the same pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidImage
from face_client.faces import Faces
from face_pictures.decoding import MAX_PIXELS, decode_as_shown, is_transparent


def to_look_at(data: bytes, max_pixels: int = MAX_PIXELS) -> bytes | NDArray[np.uint8]:
    """What the server is asked about: the file, or what a person sees where it has more under transparency."""
    try:
        return decode_as_shown(data, max_pixels) if is_transparent(data) else data
    except InvalidImage:
        # The server says what is wrong with it.
        return data


def pixels_of(data: bytes, faces: Faces, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The pixels [H, W, 3] that these faces were found in. Raises InvalidImage, also where they are of another size."""
    pixels = decode_as_shown(data, max_pixels)
    if pixels.shape[:2] != (faces.height, faces.width):
        raise InvalidImage("the server reads the file as a picture of another size")
    return pixels
