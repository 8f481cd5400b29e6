"""Pictures of any kind to RGB arrays: the one home of image decoding, for the client, the server and training.

An image is an RGB uint8 array [H, W, 3], C-contiguous and upright: the EXIF orientation is applied.
Needs Pillow and NumPy, nothing else. Whatever the input, what is raised is InvalidImage.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from face_pictures.errors import InvalidImage, TooManyPixels

# Pillow's pixel modes to RGB, where `convert("RGB")` alone is wrong or noisy.
#
# Wide samples become 8 bits by a fixed rule, so that a picture does not change with its content:
#
#     I;16 and relatives          the high byte, which is also what Pillow keeps of 16-bit RGB
#     I from a PNG                16-bit samples in a 32-bit image: the high byte
#     other I (32-bit integers)   and F (floats): by the narrowest of the ranges 0…1 (F only), 0…255,
#                                 0…65535 and 0…2^32-1 that holds the largest value; negatives and NaN are 0


_RANGES = (255.0, 65535.0, 4294967295.0)


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """The loaded image in mode RGB, not turned. Raises what Pillow raises."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        return _gray(np.asarray(image) >> 8)
    if image.mode == "I" and image.format == "PNG":
        return _gray(np.asarray(image).clip(0, 65535) >> 8)
    if image.mode in ("I", "F"):
        return _gray(_scaled(np.asarray(image, dtype=np.float64), is_float=image.mode == "F"))
    if "transparency" in image.info:
        # Pillow carries a transparent colour over to the new mode, or warns that it cannot.
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")


def _gray(samples: NDArray[np.generic]) -> Image.Image:
    """[H, W] samples of 0…255 as an RGB image."""
    return Image.fromarray(samples.astype(np.uint8)).convert("RGB")


def _scaled(samples: NDArray[np.float64], is_float: bool) -> NDArray[np.float64]:
    """[H, W] samples of unknown range to 0…255, rounded."""
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    largest = samples.max()
    if is_float and largest <= 1:
        return (samples * 255).round()
    full = next((limit for limit in _RANGES if largest <= limit), largest)
    return (samples * (255 / full)).round()


# Opening files with Pillow so that only the six formats are read and only InvalidImage comes out.


FORMAT_NAMES = "JPEG, PNG, WebP, BMP, GIF or TIFF"

# What Pillow and the codecs under it are known to raise on files that lie: truncated data (OSError,
# EOFError, struct.error), broken chunks (SyntaxError, zlib.error, ValueError), absurd counts and offsets
# (IndexError, KeyError, OverflowError, ZeroDivisionError, MemoryError), tags of the wrong type (TypeError,
# AttributeError, AssertionError), methods that nobody implements, and, where
# warnings are errors, its own guard against bombs.
_PILLOW_ERRORS = (
    OSError,
    EOFError,
    struct.error,
    SyntaxError,
    zlib.error,
    ValueError,
    LookupError,
    ArithmeticError,
    MemoryError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    Image.DecompressionBombWarning,
)

# The classes are called directly, not through Image.open: nothing is guessed, and its own pixel limit, a
# process-wide setting with a warning at half way, does not stand beside ours.
_READERS: tuple[tuple[bytes, type[ImageFile.ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"GIF87a", GifImagePlugin.GifImageFile),
    (b"GIF89a", GifImagePlugin.GifImageFile),
    (b"II*\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0*", TiffImagePlugin.TiffImageFile),
    (b"II+\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0+", TiffImagePlugin.TiffImageFile),
)

# A PNG without any of these has no orientation; asking Pillow would decode the pixels to look behind them.
_PNG_EXIF_MARKS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


@contextmanager
def reading(field: str) -> Iterator[None]:
    """Turn whatever Pillow raises inside the block into InvalidImage about `field`."""
    try:
        yield
    except Image.DecompressionBombError as error:
        # Only from a frame or tile that is larger than the size in the header.
        raise InvalidImage(f"{field} has a part with more pixels than can be read") from error
    except _PILLOW_ERRORS as error:
        raise InvalidImage(f"{field} is damaged or truncated: its pixels cannot be read") from error


def open_image(data: bytes) -> Image.Image:
    """The image with its header parsed and its pixels not yet decoded. Raises InvalidImage."""
    if len(data) == 0:
        raise InvalidImage(f"encoded_image is empty; it must hold a {FORMAT_NAMES} file")
    for signature, reader in _READERS:
        if data.startswith(signature):
            return reader(io.BytesIO(data))
    raise InvalidImage(
        f"encoded_image is not a picture in a known format ({len(data)} bytes); it must be {FORMAT_NAMES}"
    )


def header_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a WebP canvas; None for what Pillow can open without allocating the canvas.

    Pillow makes WebP's decoder, which allocates the canvas twice, as soon as it opens the file.
    """
    if not data.startswith(b"RIFF") or len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def stored_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) before the orientation is applied, of an image whose pixels are not yet loaded."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        # Pillow gives the upright size of a TIFF, or this one, by its version.
        return image.tag_v2[TiffImagePlugin.IMAGEWIDTH], image.tag_v2[TiffImagePlugin.IMAGELENGTH]
    return image.size


def orientation(image: Image.Image, data: bytes | None = None) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or it cannot be read.

    data: the file, of an image whose pixels shall not be decoded for this.
    """
    if data is not None and image.format == "PNG" and not any(mark in data for mark in _PNG_EXIF_MARKS):
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except _PILLOW_ERRORS:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


# Pictures of any kind to RGB arrays: the one home of image decoding, for the client and for the server.
#
# An image is an RGB uint8 array [H, W, 3], C-contiguous and upright: the EXIF orientation is applied.
# Needs Pillow and NumPy, nothing else. Whatever the input, what is raised is InvalidImage.


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
