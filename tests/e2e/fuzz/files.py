"""Pictures that were made to be awkward."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.pictures import astronaut


def saved(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 255, (height, width, 3), np.uint8)


def ten_thousand_faces() -> np.ndarray:
    """UINT8 [4200,4200,3]: the astronaut's face in rows of a hundred, 42 pixels a side."""
    face = Image.fromarray(astronaut()).crop((160, 45, 290, 195)).resize((42, 42), Image.Resampling.BOX)
    return np.tile(np.asarray(face), (100, 100, 1))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def black_png(width: int, height: int, rows: bytes | None = None, *chunks: bytes) -> bytes:
    """A PNG of so many black pixels by its header; `rows` are the pixels that it has instead."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = zlib.compress(bytes((width + 1) * height) if rows is None else rows, 9)
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def png_with_text(size: int) -> bytes:
    return black_png(60, 60, None, _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9)))


def gif(width: int, height: int, frame: int) -> bytes:
    """Its first frame is `frame` pixels a side."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0) + b"\x02\x02\x4c\x01\x00;"


def animation(form: str, frames: int) -> bytes:
    pictures = [Image.fromarray(np.full((60, 60, 3), n % 256, np.uint8)) for n in range(frames)]
    return saved(pictures[0], form, save_all=True, append_images=pictures[1:])
