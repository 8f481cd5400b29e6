"""What is wrong with a picture is told in words by which a caller knows it again; lack of memory is no such fault."""

import io
import resource
import subprocess
import sys

import pytest
from PIL import Image

from face_pictures.decoding import decode_image, to_rgb
from face_pictures.errors import InvalidImage, TooManyPixels, picture_error


def file_of(picture, kind="PNG"):
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


PICTURE = file_of(Image.new("RGB", (40, 30), "green"))


@pytest.mark.parametrize(
    ("data", "most"),
    [
        (b"", 10_000),
        (b"no picture", 10_000),
        (PICTURE[:-40], 10_000),
        (PICTURE, 1_199),
        (file_of(Image.new("RGB", (40, 30)), "WebP"), 1_199),
    ],
    ids=["empty", "words", "truncated", "too large", "too large by its header"],
)
def test_a_refusal_is_known_again_by_its_words(data, most):
    with pytest.raises(InvalidImage) as refused:
        decode_image(data, max_pixels=most)
    again = picture_error(str(refused.value))
    assert type(again) is type(refused.value)
    assert str(again) == str(refused.value)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "min_face_size is 0; it must be at least 1",
        "encoded_image has shape [2, 3], must be [B, 1]",
        "the word encoded_image is empty",
    ],
)
def test_other_sentences_are_about_no_picture(message):
    assert picture_error(message) is None


def test_too_many_pixels_are_told_apart():
    with pytest.raises(TooManyPixels):
        decode_image(PICTURE, max_pixels=1_199)
    assert decode_image(PICTURE, max_pixels=1_200).shape == (30, 40, 3)


SHORT_OF_MEMORY = """
import resource, sys
from face_pictures.decoding import decode_image
data = sys.stdin.buffer.read()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, resource.RLIM_INFINITY))
try:
    decode_image(data)
except MemoryError:
    print("MemoryError")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
def test_a_machine_short_of_memory_is_not_the_pictures_fault(kind):
    """Not WebP: its library says no more than that it failed."""
    data = file_of(Image.new("RGB", (6000, 5000), "green"), kind)
    done = subprocess.run([sys.executable, "-c", SHORT_OF_MEMORY], input=data, capture_output=True, check=False)
    assert done.stdout == b"MemoryError\n", done.stderr.decode()
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


def test_a_codecs_word_for_memory_is_taken_as_such(monkeypatch):
    """Pillow's codecs report a failed allocation as an OSError."""

    def load(_image):
        raise OSError("out of memory error when reading image file")

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(MemoryError, match="image could not be decoded"):
        to_rgb(Image.new("RGB", (4, 4)))
