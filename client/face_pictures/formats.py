"""Which files are pictures: the one list of formats, with signatures, suffixes and readers; and how one is opened.

Needs Pillow; HEIC also the package pillow-heif, and AVIF Pillow 11.3, where their pixels are read. What is wrong with a
file is told as InvalidImage, whatever its reader raises.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Callable

import PIL
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from face_pictures.errors import InvalidImage
from face_pictures.mending import first_frame_of_webp
from face_pictures.tiff import open_tiff


@dataclass(frozen=True)
class Format:
    """A format that is read.

    signatures: what its files begin with. suffixes: in lower case, those that folders are searched for; a file that is
    named by itself is tried whatever it is called. open: the image of a file, its header parsed, its pixels not yet
    decoded: Pillow's class, which is called directly and not through Image.open: nothing is guessed, and Pillow's own
    pixel limit, a process-wide setting, does not stand beside ours. brands: of files that begin as all of ISO's media
    do (ISO/IEC 14496-12), with a box that lists what they are.
    """

    name: str
    signatures: tuple[bytes, ...]
    suffixes: tuple[str, ...]
    open: Callable[[IO[bytes]], ImageFile.ImageFile]
    brands: frozenset[bytes] = frozenset()


def _open_webp(file: IO[bytes]) -> ImageFile.ImageFile:
    try:
        return WebPImagePlugin.WebPImageFile(file)
    except OSError:
        file.seek(0)
        first = first_frame_of_webp(file.read())
        if first is None:
            raise
        return WebPImagePlugin.WebPImageFile(io.BytesIO(first))


def _open_heic(file: IO[bytes]) -> ImageFile.ImageFile:
    try:
        from pillow_heif import HeifImageFile
    except ImportError as error:
        raise InvalidImage(
            "encoded_image is a HEIC file, which cannot be read here without the package pillow-heif"
        ) from error
    image: ImageFile.ImageFile = HeifImageFile(file)
    return image


def _open_avif(file: IO[bytes]) -> ImageFile.ImageFile:
    try:
        from PIL.AvifImagePlugin import AvifImageFile
    except ImportError as error:
        raise InvalidImage(
            f"encoded_image is an AVIF file, which cannot be read here with Pillow {PIL.__version__}; 11.3 can"
        ) from error
    return AvifImageFile(file)


def _netpbm(*kinds: int) -> tuple[bytes, ...]:
    return tuple(b"P%d%c" % (kind, space) for kind in kinds for space in b" \t\n\v\f\r#")


FORMATS = (
    Format(
        "JPEG",
        (b"\xff\xd8\xff",),
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        JpegImagePlugin.JpegImageFile,
    ),
    Format("PNG", (b"\x89PNG\r\n\x1a\n",), (".png", ".apng"), PngImagePlugin.PngImageFile),
    Format("WebP", (b"RIFF",), (".webp",), _open_webp),
    Format("BMP", (b"BM",), (".bmp",), BmpImagePlugin.BmpImageFile),
    Format("GIF", (b"GIF87a", b"GIF89a"), (".gif",), GifImagePlugin.GifImageFile),
    Format("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (".tif", ".tiff"), open_tiff),
    Format("AVIF", (), (".avif", ".avifs"), _open_avif, frozenset((b"avif", b"avis"))),
    # The last two brands say no more than that it is a picture of the family; AVIF has been asked before.
    Format(
        "HEIC",
        (),
        (".heic", ".heif", ".hif", ".heics", ".heifs"),
        _open_heic,
        frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")),
    ),
    Format(
        "JPEG 2000",
        (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
        (".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
        Jpeg2KImagePlugin.Jpeg2KImageFile,
    ),
    Format("PBM", _netpbm(1, 4), (".pbm", ".pnm"), PpmImagePlugin.PpmImageFile),
    Format("PGM", _netpbm(2, 5), (".pgm",), PpmImagePlugin.PpmImageFile),
    Format("PPM", _netpbm(3, 6), (".ppm",), PpmImagePlugin.PpmImageFile),
)

SUFFIXES = frozenset(suffix for kind in FORMATS for suffix in kind.suffixes)
"""What a folder is searched for."""

_NAMES = ", ".join(kind.name for kind in FORMATS)

FORMAT_NAMES = " or ".join(_NAMES.rsplit(", ", 1))
"""For people: "JPEG, PNG, … or PPM"."""

_DRAWN_AND_OTHERS = ".svg .psd .psb .jxl .jxr .ico .tga .pcx .eps .exr .hdr .xcf .pfm .pam"
_RAW_OF_CAMERAS = ".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .raf .orf .rw2 .pef .srw .3fr"

OTHER_SUFFIXES = frozenset(f"{_DRAWN_AND_OTHERS} {_RAW_OF_CAMERAS}".split())
"""Of pictures that are not read: a folder that has some is not searched in silence."""

# What people take for a picture that is read, for a sentence that helps.
_OTHERS = (
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"\0\0\1\0", "an icon"),
    (b"<svg", "SVG"),
    (b"<!DOCTYPE html", "a web page"),
    (b"<html", "a web page"),
    (b"P7", "PAM"),
    (b"PF", "PFM"),
    (b"Pf", "PFM"),
)

# What Pillow and the codecs under it are known to raise on files that lie: truncated data (OSError,
# EOFError, struct.error), broken chunks (SyntaxError, zlib.error, ValueError), absurd counts and offsets
# (IndexError, KeyError, OverflowError, ZeroDivisionError), tags of the wrong type (TypeError,
# AttributeError, AssertionError), methods that nobody implements (NotImplementedError, a RuntimeError), whatever
# pillow-heif dislikes (RuntimeError), and, where warnings are errors, its own guard against bombs. MemoryError is none
# of them: it says nothing of the file.
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
    RuntimeError,
    Image.DecompressionBombWarning,
)


# Bytes at the start of a file in which its brands are looked for.
_MOST_BRANDS = 512

# A PNG without any of these has no orientation; asking Pillow would decode the pixels to look behind them.
_PNG_EXIF_MARKS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


@contextmanager
def reading(field: str) -> Iterator[None]:
    """Turn whatever a reader raises inside the block into InvalidImage about `field`; MemoryError stays what it is."""
    try:
        yield
    except InvalidImage:
        raise
    except Image.DecompressionBombError as error:
        # Only from a frame or tile that is larger than the size in the header.
        raise InvalidImage(f"{field} has a part with more pixels than can be read") from error
    except _PILLOW_ERRORS as error:
        if "out of memory" in str(error):
            # A codec's own words for it, in an OSError.
            raise MemoryError(f"{field} could not be decoded: out of memory") from error
        raise InvalidImage(f"{field} is damaged or truncated: its pixels cannot be read") from error


@contextmanager
def reading_file(data: bytes) -> Iterator[None]:
    """As `reading`, of a file whose format is told with what is wrong: its name may say another."""
    kind = format_of(data)
    try:
        with reading("encoded_image"):
            yield
    except InvalidImage as error:
        message = str(error).replace("its pixels", f"the pixels of this {kind.name} file")
        raise type(error)(message) from error.__cause__


def format_of(data: bytes) -> Format:
    """The format that the first bytes of a file tell. Raises InvalidImage where they tell none."""
    if len(data) == 0:
        raise InvalidImage(f"encoded_image is empty; it must hold a {FORMAT_NAMES} file")
    brands = _brands(data)
    for kind in FORMATS:
        if data.startswith(kind.signatures) or kind.brands & brands:
            return kind
    other = next((f"{name}, " for start, name in _OTHERS if data.startswith(start)), "a video, " if brands else "")
    raise InvalidImage(
        f"encoded_image is not a picture in a known format ({other}{len(data)} bytes); it must be {FORMAT_NAMES}"
    )


def _brands(data: bytes) -> frozenset[bytes]:
    """What a file of ISO's family says that it is: its major brand, and all that it is compatible with."""
    if data[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(data[:4], "big"), _MOST_BRANDS)
    # After the major brand comes a version.
    return frozenset((data[8:12], *(data[at : at + 4] for at in range(16, end, 4))))


def open_image(data: bytes) -> Image.Image:
    """The image with its header parsed and its pixels not yet decoded. Raises InvalidImage."""
    return format_of(data).open(io.BytesIO(data))


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
