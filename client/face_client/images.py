"""Pictures of any kind to RGB arrays: the one home of image decoding, for the client and for the server.

An image is an RGB uint8 array [H, W, 3], C-contiguous and upright: the EXIF orientation is applied.
Needs Pillow and NumPy, nothing else. Whatever the input, what is raised is InvalidImage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client._decoding import FORMAT_NAMES, header_size, open_image, orientation, reading, stored_size
from face_client._pixel_modes import convert_to_rgb
from face_client.errors import InvalidImage, TooManyPixels

MAX_PIXELS = 50_000_000

# EXIF orientation → what turns the stored picture upright. 1 is upright already.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The picture in a JPEG, PNG, WebP, BMP, GIF (first frame) or TIFF (first page) file.

    The number of pixels is checked in the header, before memory is spent on them. EXIF data that cannot
    be read count as absent, as in browsers and viewers: the picture itself is whole.

    Raises InvalidImage: empty, not one of the formats, damaged or truncated; TooManyPixels: more than max_pixels.
    """
    with reading("encoded_image"):
        _check_pixels(header_size(data), max_pixels)
        image = open_image(data)
        # The parsed header again: a damaged file may say two things.
        _check_pixels(image.size, max_pixels)
    return to_rgb(image, field="encoded_image")


def image_size(data: bytes) -> tuple[int, int]:
    """(width, height) of the upright picture in an encoded image, from its header.

    Raises InvalidImage where the bytes are not one of the formats that decode_image reads.
    """
    with reading("encoded_image"):
        image = open_image(data)
        width, height = stored_size(image)
        return (height, width) if orientation(image, data) >= 5 else (width, height)


def to_rgb(image: Image.Image, field: str = "image") -> NDArray[np.uint8]:
    """A Pillow image of any mode as an upright RGB array.

    Transparency is dropped and the colours under it stay, as `convert("RGB")` does. 16-bit samples keep
    their high byte; see `_pixel_modes` for wider ones.

    field: what an error calls the image. Raises InvalidImage where the pixels cannot be read.
    """
    with reading(field):
        image.load()
        # Loading a TIFF turns it upright.
        turn = None if image.format == "TIFF" else _UPRIGHT.get(orientation(image))
        rgb = convert_to_rgb(image)
        return np.array(rgb if turn is None else rgb.transpose(turn))


def downscale(image: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """The image [H, W, 3] with its longer side at most max_side pixels; the same object if it is already.

    Area averages (Pillow's BOX filter): every pixel counts, no ringing, and it is what the detector's own
    pyramid does with an image.
    """
    height, width = image.shape[:2]
    if max(height, width) <= max_side:
        return image
    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _check_pixels(size: tuple[int, int] | None, max_pixels: int) -> None:
    """Raise InvalidImage for more than max_pixels; a size of None is not known yet."""
    if size is None or size[0] * size[1] <= max_pixels:
        return
    width, height = size
    raise TooManyPixels(
        f"encoded_image has {width}x{height} = {width * height} pixels; at most {max_pixels} are allowed"
    )


__all__ = [
    "FORMAT_NAMES",
    "MAX_PIXELS",
    "InvalidImage",
    "TooManyPixels",
    "decode_image",
    "downscale",
    "image_size",
    "to_rgb",
]
