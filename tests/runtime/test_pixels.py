"""Pixels out of Pillow's memory are those that NumPy gets from Pillow, of any file, whole or damaged."""

import io
import random

import numpy as np
import pytest
from PIL import Image

from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage
from face_runtime.pixels import rgb_array
from tests.pictures import astronaut

# More than 16 MB, by default several blocks.
LARGE = (2200, 2000)


def noise(width, height):
    return Image.fromarray(np.random.RandomState(width).randint(0, 256, (height, width, 3), np.uint8))


def assert_the_same(found, expected):
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert found.flags.c_contiguous
    assert found.flags.writeable


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (1, 500), (500, 1), (641, 479), (2048, 2048), LARGE, (0, 5), (5, 0)])
def test_an_image_of_any_size(size):
    image = noise(*size) if all(size) else Image.new("RGB", size)
    assert_the_same(rgb_array(image), np.array(image))


def test_the_pixels_stay_when_the_image_is_gone():
    image = noise(640, 480)
    expected = np.array(image)
    found = rgb_array(image)
    image.paste("white", (0, 0, 640, 480))
    del image
    others = [Image.new("RGB", (640, 480), "red") for _ in range(8)]
    assert_the_same(found, expected)
    assert len(others) == 8


def test_an_image_that_pillow_does_not_show(monkeypatch):
    """Before Pillow 11.2.1."""
    image = noise(40, 30)
    monkeypatch.delattr(Image.Image, "__arrow_c_array__")
    assert_the_same(rgb_array(image), np.array(image))


def test_an_image_in_several_blocks():
    Image.core.set_use_block_allocator(0)
    try:
        image = noise(*LARGE)
    finally:
        Image.core.set_use_block_allocator(1)
    with pytest.raises(ValueError, match="contiguous"):
        image.__arrow_c_array__()
    assert_the_same(rgb_array(image), np.array(image))
    noise(*LARGE).__arrow_c_array__()


def file(image, image_format, **options):
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def files():
    photo = Image.fromarray(astronaut()).resize((203, 149))
    for subsampling in range(3):
        yield file(photo, "JPEG", quality=95, subsampling=subsampling)
    yield file(photo, "JPEG", progressive=True)
    yield file(photo, "JPEG", restart_marker_blocks=3)
    for mode in ("L", "CMYK"):
        yield file(photo.convert(mode), "JPEG")
    for orientation in range(1, 9):
        yield file(photo, "JPEG", exif=turned(orientation))
    for mode in ("RGB", "RGBA", "P", "L", "LA", "1", "I;16"):
        yield file(photo.convert("L" if mode == "I;16" else mode).convert(mode), "PNG")
    for image_format in ("WEBP", "BMP", "GIF", "TIFF", "PPM"):
        yield file(photo, image_format)


def outcome(*args):
    """The pixels, or the words of the error."""
    try:
        return decode_image(*args)
    except InvalidImage as error:
        return f"{type(error).__name__}: {error}"


def assert_one_outcome(data, max_pixels=10**6):
    found, expected = outcome(data, max_pixels, rgb_array), outcome(data, max_pixels)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)


def test_files_of_any_kind_whole_and_damaged():
    chance = random.Random(3)
    for data in files():
        assert_one_outcome(data)
        assert_one_outcome(data, max_pixels=100)
        for _ in range(12):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            assert_one_outcome(bytes(damaged[: chance.randint(len(data) // 2, 2 * len(data))]))


def test_a_jpeg_without_its_end():
    data = file(noise(64, 48), "JPEG")[:-2]
    assert isinstance(outcome(data, 10**6, rgb_array), np.ndarray)
    assert_one_outcome(data)
