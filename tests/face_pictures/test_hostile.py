"""Whatever the bytes are: an RGB array or InvalidImage, and no memory spent on a promise in a header."""

import random
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from face_client.errors import InvalidImage
from face_pictures.decoding import decode_image, image_size, to_rgb

FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "HEIF", "AVIF", "JPEG2000", "PPM"]
VARIANTS = [
    ("JPEG", "RGB", {}),
    ("JPEG", "CMYK", {"progressive": True}),
    ("PNG", "RGB", {}),
    ("PNG", "P", {"transparency": 3}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("BMP", "RGB", {}),
    ("BMP", "P", {}),
    ("GIF", "P", {}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "F", {}),
    ("HEIF", "RGB", {}),
    ("AVIF", "RGBA", {}),
    ("JPEG2000", "RGB", {}),
    ("JPEG2000", "L", {"no_jp2": True, "tile_size": (16, 16)}),
    ("PPM", "RGB", {}),
    ("PPM", "1", {}),
]


def png_header(width, height):
    """A PNG that promises width x height pixels and has none."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1 << 20) + b"IDAT" + zlib.compress(b"\0" * 1000)


def webp_header(width, height):
    """A lossless WebP that promises width x height pixels and has none."""
    bits = (width - 1) | (height - 1) << 14
    payload = b"\x2f" + struct.pack("<I", bits) + b"\0" * 20
    body = b"WEBPVP8L" + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_promises_of_too_many_pixels_cost_nothing():
    tracemalloc.start()
    started = time.monotonic()
    for data, size in ((png_header(60000, 60000), "60000x60000"), (webp_header(16383, 16383), "16383x16383")):
        with pytest.raises(InvalidImage, match=f"{size} = .* at most 50000000 are allowed"):
            decode_image(data)
    assert time.monotonic() - started < 0.5
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("image_format", FORMATS)
def test_the_limit_is_the_callers(image_format, picture, encode):
    data = encode(picture, image_format)
    assert decode_image(data, max_pixels=1200).shape == picture.shape
    with pytest.raises(InvalidImage, match=r"encoded_image has 40x30 = 1200 pixels; at most 1199 are allowed"):
        decode_image(data, max_pixels=1199)


def test_a_higher_limit_than_pillows_own_is_kept(encode, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = encode(Image.new("RGB", (100, 100)), "PNG")
    assert decode_image(data).shape == (100, 100, 3)


@pytest.mark.parametrize("data", [b"", b"just some words\n", b"\0" * 100, b"BM", b"RIFF", b"\xff\xd8\xff"])
def test_what_is_no_image_is_refused_in_one_sentence(data):
    for function in (decode_image, image_size):
        with pytest.raises(InvalidImage) as caught:
            function(data)
        message = str(caught.value)
        assert message.startswith("encoded_image ")
        assert "\n" not in message
        assert "0x" not in message
        assert "/" not in message


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIF", "AVIF", "JPEG2000", "PPM"])
def test_truncated_files_are_refused(image_format, encode):
    data = encode(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8), image_format)
    for keep in (0.1, 0.5, 0.9):
        with pytest.raises(InvalidImage):
            decode_image(data[: int(len(data) * keep)])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}, {"subsampling": 0}])
def test_a_jpeg_without_its_end_marker_is_whole_and_one_without_more_is_cut(options, encode):
    noise = np.random.default_rng(0).integers(0, 255, (61, 97, 3), np.uint8)
    data = encode(noise, "JPEG", quality=90, **options)
    for lacking in (1, 2):
        np.testing.assert_array_equal(decode_image(data[:-lacking]), decode_image(data))
    np.testing.assert_array_equal(decode_image(data[:-2] + bytes(100)), decode_image(data))
    for lacking in (3, 4, 5, 8, 20, 300, len(data) // 2):
        with pytest.raises(InvalidImage):
            decode_image(data[:-lacking])


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_a_cut_later_frame_is_nobodys_loss(image_format, picture, encode):
    frames = [Image.fromarray(np.roll(picture, n, axis=1)) for n in range(3)]
    data = encode(frames[0], image_format, save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode_image(data[:-20]), decode_image(data))
    assert image_size(data[:-20]) == (40, 30)
    with pytest.raises(InvalidImage):
        decode_image(data[: len(data) // 5])


def test_a_truncated_pillow_image_is_named_as_the_caller_does(tmp_path, encode):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    path = tmp_path / "half.jpg"
    path.write_bytes(encode(noise, "JPEG")[:2000])
    with Image.open(path) as image, pytest.raises(InvalidImage, match=r"^image is damaged or truncated"):
        to_rgb(image)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("image_format", "mode", "options"), VARIANTS)
def test_mutated_files_decode_or_are_refused(image_format, mode, options, picture, encode):
    good = encode(Image.fromarray(picture).convert(mode), image_format, **options)
    rng = random.Random(f"{image_format} {mode}")
    for _ in range(100):
        data = bytearray(good)
        for _ in range(rng.choice([1, 2, 8])):
            position = rng.randrange(min(len(data), rng.choice([60, 300, 100_000])))
            data[position : position + rng.choice([1, 4])] = rng.choice([b"\xff", b"\0\0\0\0", rng.randbytes(4)])
        assert_image_or_refused(bytes(data))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [
            *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBPVP8X", b"BM", b"GIF89a", b"II*\0"),
            *(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"),
            *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0\x2f", b"P6 4 4 9\n", b"P2 4 4 9\n"),
        ]
    ),
    st.binary(max_size=300),
)
def test_signature_and_garbage(signature, rest):
    assert_image_or_refused(signature + rest)


def assert_image_or_refused(data):
    try:
        image = decode_image(data, max_pixels=1_000_000)
    except InvalidImage:
        return
    assert image.dtype == np.uint8
    assert image.shape[2] == 3
    assert image_size(data) == (image.shape[1], image.shape[0])
