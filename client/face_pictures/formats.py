"""Which files are pictures: the one list of formats, with signatures, suffixes and readers; and how one is opened.

Needs Pillow, nothing else. What is wrong with a file is told as InvalidImage, whatever Pillow raises.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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

from face_pictures.errors import InvalidImage


@dataclass(frozen=True)
class Format:
    """A format that is read.

    signatures: what its files begin with. suffixes: in lower case, those that folders are searched for; a file that is
    named by itself is tried whatever it is called. reader: Pillow's class, which is called directly and not through
    Image.open: nothing is guessed, and Pillow's own pixel limit, a process-wide setting, does not stand beside ours.
    """

    name: str
    signatures: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    reader: type[ImageFile.ImageFile]


FORMATS = (
    Format("JPEG", (b"\xff\xd8\xff",), (".jpg", ".jpeg"), JpegImagePlugin.JpegImageFile),
    Format("PNG", (b"\x89PNG\r\n\x1a\n",), (".png",), PngImagePlugin.PngImageFile),
    Format("WebP", (b"RIFF",), (".webp",), WebPImagePlugin.WebPImageFile),
    Format("BMP", (b"BM",), (".bmp",), BmpImagePlugin.BmpImageFile),
    Format("GIF", (b"GIF87a", b"GIF89a"), (".gif",), GifImagePlugin.GifImageFile),
    Format("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (".tif", ".tiff"), TiffImagePlugin.TiffImageFile),
)

SUFFIXES = frozenset(suffix for kind in FORMATS for suffix in kind.suffixes)
"""What a folder is searched for."""

_NAMES = [kind.name for kind in FORMATS]

FORMAT_NAMES = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}"
"""For people: "JPEG, PNG, … or TIFF"."""

# What Pillow and the codecs under it are known to raise on files that lie: truncated data (OSError,
# EOFError, struct.error), broken chunks (SyntaxError, zlib.error, ValueError), absurd counts and offsets
# (IndexError, KeyError, OverflowError, ZeroDivisionError), tags of the wrong type (TypeError,
# AttributeError, AssertionError), methods that nobody implements, and, where warnings are errors, its own guard
# against bombs. MemoryError is none of them: it says nothing of the file.
_PILLOW_ERRORS = (
    OSError,
    EOFError,
    struct.error,
    SyntaxError,
    zlib.error,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    Image.DecompressionBombWarning,
)


# A PNG without any of these has no orientation; asking Pillow would decode the pixels to look behind them.
_PNG_EXIF_MARKS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


@contextmanager
def reading(field: str) -> Iterator[None]:
    """Turn whatever Pillow raises inside the block into InvalidImage about `field`; MemoryError stays what it is."""
    try:
        yield
    except Image.DecompressionBombError as error:
        # Only from a frame or tile that is larger than the size in the header.
        raise InvalidImage(f"{field} has a part with more pixels than can be read") from error
    except _PILLOW_ERRORS as error:
        if "out of memory" in str(error):
            # A codec's own words for it, in an OSError.
            raise MemoryError(f"{field} could not be decoded: out of memory") from error
        raise InvalidImage(f"{field} is damaged or truncated: its pixels cannot be read") from error


def format_of(data: bytes) -> Format:
    """The format that the first bytes of a file tell. Raises InvalidImage where they tell none."""
    if len(data) == 0:
        raise InvalidImage(f"encoded_image is empty; it must hold a {FORMAT_NAMES} file")
    for kind in FORMATS:
        if data.startswith(kind.signatures):
            return kind
    raise InvalidImage(
        f"encoded_image is not a picture in a known format ({len(data)} bytes); it must be {FORMAT_NAMES}"
    )


def open_image(data: bytes) -> Image.Image:
    """The image with its header parsed and its pixels not yet decoded. Raises InvalidImage."""
    return format_of(data).reader(io.BytesIO(data))


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
