"""Files of all formats: small portraits, whole and damaged; and pictures that were made to be awkward."""

import io
import random
import struct
import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np
import pillow_heif
from PIL import Image

from tests.pictures import astronaut

pillow_heif.register_heif_opener()

_SIDES = (96, 70)

# Values that sit on the edge of something: zero, signs, the largest, powers of two, and a size nobody can hold.
_EDGES = (
    b"\0",
    b"\xff",
    b"\x7f\xff",
    b"\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80",
    b"\x01",
)

# A quarter turn.
_TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"

_VARIANTS = (
    ("JPEG", "RGB", {}),
    ("JPEG", "L", {"quality": 20}),
    ("JPEG", "CMYK", {"progressive": True}),
    ("JPEG", "RGB", {"subsampling": 0, "optimize": True, "exif": _TURNED}),
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "I;16", {}),
    ("PNG", "1", {}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGB", {"save_all": True, "append": 2}),
    ("GIF", "P", {}),
    ("GIF", "RGB", {"save_all": True, "append": 3}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "tiff_deflate", "save_all": True, "append": 2}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "F", {}),
    ("TIFF", "CMYK", {"compression": "packbits"}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
    ("BMP", "1", {}),
    ("HEIF", "RGB", {}),
    ("HEIF", "L", {"exif": _TURNED[6:]}),
    ("HEIF", "RGBA", {"save_all": True, "append": 2}),
    ("AVIF", "RGB", {"exif": _TURNED[6:]}),
    ("AVIF", "RGBA", {"save_all": True, "append": 2}),
    ("JPEG2000", "RGB", {}),
    ("JPEG2000", "L", {"irreversible": True, "no_jp2": True}),
    ("JPEG2000", "RGBA", {"tile_size": (32, 32)}),
    ("JPEG2000", "I;16", {}),
    ("PPM", "RGB", {}),
    ("PPM", "L", {}),
    ("PPM", "1", {}),
    ("PPM", "I;16", {}),
)


def saved(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@cache
def sound_files() -> tuple[bytes, ...]:
    """One small portrait in every format, and in most of what the formats can do."""
    portrait = Image.fromarray(astronaut()).crop((150, 30, 300, 220)).resize(_SIDES)
    encoded = (_encoded(portrait, *variant) for variant in _VARIANTS)
    return (*encoded, *_netpbm(np.asarray(portrait)))


def _netpbm(pixels: np.ndarray) -> Iterator[bytes]:
    """What Pillow does not write: numbers in words, and samples of another range."""
    height, width = pixels.shape[:2]
    for kind, samples in ((b"2", pixels[:, :, 0]), (b"3", pixels)):
        words = b" ".join(b"%d" % sample for sample in samples.ravel().tolist())
        yield b"P%b\n# a comment\n%d %d 255\n%b\n" % (kind, width, height, words)
    yield b"P1 %d %d\n%b" % (width, height, b"0110" * (width * height // 4))
    yield b"P5 %d %d 4095\n%b" % (width, height, (pixels[:, :, 0] * np.uint16(16)).astype(">u2").tobytes())
    yield b"P6 %d %d 100\n%b" % (width, height, (pixels // 3).tobytes())


def _encoded(picture: Image.Image, form: str, mode: str, options: dict) -> bytes:
    frame = (
        Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257) if mode == "I;16" else picture.convert(mode)
    )
    more = [frame.rotate(90 * n).resize(frame.size) for n in range(1, options.get("append", 0) + 1)]
    options = {name: value for name, value in options.items() if name != "append"}
    return saved(frame, form, **options, **({"append_images": more} if more else {}))


def damaged(rng: random.Random) -> bytes:
    """A sound file after one to six of the mishaps below. One in ten stays as it is."""
    data = bytearray(rng.choice(sound_files()))
    if rng.random() > 0.1:
        for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
            rng.choice(_MISHAPS)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    """Mostly in the header: that is where the sizes are."""
    return rng.randrange(max(1, min(len(data), rng.choice((32, 64, 400, 10**6)))))


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 4, 32))):
        if data:
            data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, rng: random.Random) -> None:
    edge = rng.choice((*_EDGES, rng.randbytes(rng.choice((1, 2, 4, 16)))))
    at = _place(data, rng)
    data[at : at + len(edge)] = edge


def _cut_off(data: bytearray, rng: random.Random) -> None:
    del data[_place(data, rng) :]


def _cut_out(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 4, 12, 200))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.choice((1, 12, 200))] * rng.choice((1, 2, 50))


def _insert(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = rng.randbytes(rng.choice((1, 4, 100)))


def _graft(data: bytearray, rng: random.Random) -> None:
    """The head of one file on the body of another."""
    other = rng.choice(sound_files())
    at = _place(data, rng)
    data[at:] = other[at:]


def _swap(data: bytearray, rng: random.Random) -> None:
    one, two, size = _place(data, rng), _place(data, rng), rng.choice((2, 4, 20))
    data[one : one + size], data[two : two + size] = data[two : two + size], data[one : one + size]


_MISHAPS = (_flip, _overwrite, _overwrite, _cut_off, _cut_out, _repeat, _insert, _graft, _swap)


# Awkward ones.


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
