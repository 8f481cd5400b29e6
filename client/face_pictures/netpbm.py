"""PBM, PGM and PPM whose samples need arithmetic: numbers in words, and another range than 0…255.

Pillow reads these in Python, sample by sample: ten seconds a megapixel, in which no other thread runs.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PpmImagePlugin

# Numbers in words are read in pieces: as text and as integers they are a dozen times the picture.
_PIECE = 1 << 20
_LONGEST_WORD = 20
_COMMENT = re.compile(rb"#[^\r\n]*")
_DIGITS_AND_SPACE = b"0123456789 \t\n\v\f\r"


def read(image: Image.Image) -> Image.Image | None:
    """The pixels, as mode L or RGB, of an image whose header Pillow has read; None where Pillow reads it fast itself.

    Raises ValueError where the pixels are not all there, or not what the header says.
    """
    if not isinstance(image, PpmImagePlugin.PpmImageFile) or not image.tile or image.fp is None:
        return None
    codec, offset, args = image.tile[0][0], image.tile[0][2], image.tile[0][3]
    if codec not in ("ppm", "ppm_plain") or args is None:
        return None
    channels = 3 if image.mode == "RGB" else 1
    width, height = image.size
    image.fp.seek(offset)
    data = image.fp.read()
    if image.mode == "1":
        samples = _bits(data, width * height)
    else:
        most = int(args[-1])
        parse = _words if codec == "ppm_plain" else _numbers
        samples = parse(data, width * height * channels, most)
    shape = (height, width, 3) if channels == 3 else (height, width)
    return Image.fromarray(samples.reshape(shape)).convert("RGB")


def _numbers(data: bytes, count: int, most: int) -> NDArray[np.uint8]:
    """Samples of one byte each, or of two, the high one first."""
    kind = np.dtype(np.uint8 if most < 256 else ">u2")
    return _eight_bits(np.frombuffer(data, kind, count), most)


def _words(data: bytes, count: int, most: int) -> NDArray[np.uint8]:
    """Samples as decimal numbers between white space and comments."""
    samples = np.empty(count, np.uint8)
    done = at = 0
    while done < count:
        end = _end_of_piece(data, at)
        if end == at:
            raise ValueError("samples are missing")
        text = _COMMENT.sub(b" ", data[at:end])
        if text.translate(None, _DIGITS_AND_SPACE):
            raise ValueError("a sample is no number")
        if not text.strip():
            at = end
            continue
        # A number beyond 64 bits is the largest of them, and so refused below.
        numbers = np.fromstring(text, np.int64, sep=" ")[: count - done]
        samples[done : done + len(numbers)] = _eight_bits(numbers, most)
        done, at = done + len(numbers), end
    return samples


def _end_of_piece(data: bytes, start: int) -> int:
    """Of one that ends with a line, or between two words where lines are long; a comment is not cut."""
    end = start + _PIECE
    if end >= len(data):
        return len(data)
    line = max(data.rfind(b"\n", start, end), data.rfind(b"\r", start, end))
    if line > start:
        return line + 1
    for place in range(end, min(end + _LONGEST_WORD, len(data))):
        if data[place : place + 1].isspace():
            return place
    raise ValueError("a sample is too long")


def _bits(data: bytes, count: int) -> NDArray[np.uint8]:
    """Samples of 0, which is white, and 1, black; they may stand without space between them."""
    digits = b"".join(_COMMENT.sub(b" ", data).split())[:count]
    if len(digits) < count or digits.translate(None, b"01"):
        raise ValueError("samples are missing, or neither 0 nor 1")
    return np.where(np.frombuffer(digits, np.uint8) == ord("0"), np.uint8(255), np.uint8(0))


def _eight_bits(samples: NDArray[np.integer], most: int) -> NDArray[np.uint8]:
    """Samples of 0…most to 0…255; of 16 bits the high byte, as everywhere."""
    if samples.size and samples.max() > most:
        raise ValueError(f"a sample is above {most}")
    if most == 255:
        return samples.astype(np.uint8)
    if most == 65535:
        return (samples >> 8).astype(np.uint8)
    table = ((np.arange(most + 1) * 255 + most // 2) // most).astype(np.uint8)
    return table[samples]
