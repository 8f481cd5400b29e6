"""What callers hold in their hands, and what the client makes of it or says to it."""

import asyncio
import base64
import io
import tempfile

import numpy as np
import pytest
import torch
from PIL import Image

from face_client import InvalidImage, InvalidInput
from face_client.images import as_array, pictures, prepared


@pytest.fixture
def png(picture, encode):
    return encode(picture, "PNG")


class Upload:
    """What a web framework hands over."""

    def __init__(self, data, returns=bytes):
        self._data, self._returns = data, returns

    def read(self):
        return self._returns(self._data)


def at_its_end(data):
    file = io.BytesIO()
    file.write(data)
    return file


def unseekable(data):
    file = io.BytesIO(data)
    file.seekable = lambda: False
    file.seek = None
    return file


def spooled(data):
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115 as frameworks hand it over
    file.write(data)
    return file


@pytest.mark.parametrize("of", [io.BytesIO, at_its_end, unseekable, spooled, Upload, io.BufferedReader])
def test_file_objects_are_read_from_their_start(of, png):
    file = of(io.BytesIO(png)) if of is io.BufferedReader else of(png)
    assert prepared(file, None)[0]["encoded_image"][0, 0] == png


def test_open_files(png, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(png)
    with path.open("rb") as file:
        for _ in range(2):
            assert prepared(file, None)[0]["encoded_image"][0, 0] == png
    with pytest.raises(InvalidInput, match="closed file"):
        prepared(file, None)
    with path.open(encoding="latin-1") as file, pytest.raises(InvalidInput, match="mode 'rb'"):
        prepared(file, None)
    with path.open("wb") as file, pytest.raises(InvalidInput, match="cannot be read"):
        prepared(file, None)


def test_files_that_give_no_bytes(png):
    async def later(data):
        return data

    with pytest.raises(InvalidInput, match="must be awaited"):
        prepared(Upload(png, later), None)
    with pytest.raises(InvalidInput, match=r"read.. returns str"):
        prepared(Upload("text", str), None)
    with pytest.raises(InvalidImage, match="is empty"):
        prepared(io.BytesIO(), None)


class Numbers:
    """Read by NumPy as an array, as JAX's and TensorFlow's are."""

    def __init__(self, array):
        self._array, self.shape = array, array.shape

    def __array__(self, *arguments, **options):
        return self._array


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor, Numbers, np.ma.masked_array])
def test_arrays_and_tensors_of_every_number_of_channels(kind, picture):
    gray, clear = picture[:, :, :1], np.full_like(picture[:, :, :1], 7)
    of_gray = np.repeat(gray, 3, axis=2)
    for given, wanted in (
        (picture, picture),
        (np.dstack([picture, clear]), picture),
        (gray, of_gray),
        (gray[:, :, 0], of_gray),
        (np.dstack([gray, clear]), of_gray),
    ):
        np.testing.assert_array_equal(prepared(kind(given), None)[0]["image"], wanted[None])


def test_four_channels_are_what_a_file_with_transparency_is(encode):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 4), np.uint8)
    tensors, size = prepared(encode(Image.fromarray(pixels), "PNG"), 20)
    np.testing.assert_array_equal(prepared(pixels, 20)[0]["image"], tensors["image"])
    assert size == (40, 30)


PIXELS = np.full((30, 40, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("http://example.org/a.jpg", "is the URL 'http://example.org/a.jpg'; fetch it"),
        ("s3://bucket/a.jpg", "is the URL"),
        (b"http://example.org/a.jpg", "not a picture in a known format"),
        ("file:///tmp/a.jpg", "give the path alone"),
        ("data:image/png;base64,iVBORw0KGgo=", "is a data URI .*b64decode"),
        (b"data:image/png;base64,iVBORw0KGgo=", "is a data URI .*b64decode"),
        (base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(900)).decode(), "is base64 text .*b64decode"),
        (base64.b64encode(b"\xff\xd8\xff" + bytes(900)), "is base64 text .*b64decode"),
        ("", "empty string"),
        ("\x89PNG\0", "zero byte"),
        ([PIXELS], "is a list.*detect_batch"),
        ((PIXELS, PIXELS), "is a tuple.*detect_batch"),
        ((PIXELS for _ in "ab"), "is a generator.*detect_batch"),
        (PIXELS[None], "a batch; give it to detect_batch"),
        (PIXELS.transpose(2, 0, 1), r"channels first; .*transpose\(1, 2, 0\)"),
        (PIXELS[:, :, :1].transpose(2, 0, 1), "channels first"),
        (PIXELS / 255, r"its values go to 1, so \(image \* 255\)"),
        (torch.as_tensor(PIXELS / 255).to(torch.bfloat16), r"float32.*its values go to 1, so \(image \* 255\)"),
        (PIXELS.astype(np.float64), r"image.round\(\).astype"),
        (PIXELS / 127.5 - 2, "its values go from -0.43.* scale them"),
        (PIXELS.astype(np.uint16) * 256, "its values go from 51200 to 51200, scale"),
        (PIXELS.astype(np.int64), r"must be uint8: image.astype\(np.uint8\)"),
        (PIXELS > 3, r"\* 255"),
        (PIXELS.astype(np.complex64), "complex64.*numbers from 0 to 255"),
        (PIXELS[:0], "at least one pixel"),
        (torch.empty(3, 3, device="meta"), "cannot be read as an array"),
        (None, "NoneType .*cv2.imread"),
        (3, "of type int"),
    ],
)
def test_what_is_no_picture_is_told_what_to_do(image, words):
    with pytest.raises(InvalidInput, match=words):
        prepared(image, None)


def test_names_that_only_look_like_urls(png, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("data:1.png", "a:b.png"):
        (tmp_path / name).write_bytes(png)
        assert prepared(name, None)[0]["encoded_image"][0, 0] == png


def test_bfloat16_is_read_exactly():
    numbers = torch.arange(256).to(torch.bfloat16)
    np.testing.assert_array_equal(as_array(numbers), np.arange(256))
    np.testing.assert_array_equal(as_array(-numbers.reshape(16, 16).T / 4), -np.arange(256).reshape(16, 16).T / 4)


@pytest.mark.parametrize(
    "images", [PIXELS, torch.as_tensor(PIXELS), PIXELS[:, :, 0], "photo.jpg", b"bytes", io.BytesIO(), None, 3]
)
def test_one_picture_is_no_batch(images, client_of):
    client = client_of()
    for call in (client.detect_batch, client.detect_each, client.recognize_batch, client.recognize_each):
        with pytest.raises(InvalidInput, match=r"^images is .*must be an iterable of pictures"):
            call(images)
    with pytest.raises(InvalidInput, match=r"^images is one picture"):
        pictures(Image.fromarray(PIXELS))


def test_batches_of_every_kind(client_of):
    client = client_of()
    for images in ([PIXELS] * 2, np.stack([PIXELS] * 2), torch.as_tensor(np.stack([PIXELS] * 2)), iter([PIXELS] * 2)):
        assert len(list(client.detect_batch(images))) == 2


def test_asynchronous_batches_stay_what_they_are():
    async def images():
        yield PIXELS

    async def count():
        return len([image async for image in pictures(images())])

    assert asyncio.run(count()) == 1
