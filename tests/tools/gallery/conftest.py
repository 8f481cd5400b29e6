"""A server that is made up: the colour of a picture says whom it shows, and how good the face is."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_client.messages import EMBEDDINGS, Response
from tests.gallery.people import units

POINTS = np.array([[30, 40], [70, 40], [50, 61], [33, 80], [67, 80]], np.float32)
"""Eyes, nose and mouth of a face of 100 pixels that looks straight ahead."""


def sharp_crop() -> np.ndarray:
    """uint8 [160, 160, 3]: squares of 5 pixels, dark and bright."""
    squares = np.random.default_rng(0).integers(0, 2, (32, 32)).astype(np.uint8) * 140 + 50
    return np.repeat(np.repeat(np.repeat(squares[..., np.newaxis], 3, 2), 5, 0), 5, 1)


def faces_like(people: list[int], small: bool = False) -> Response:
    """A face a number, side by side; each person's embedding is a row of `units`. small: of 20 pixels.

    The first pixel of a crop says whose it is, for FaceNet.
    """
    count = len(people)
    scale = 0.2 if small else 1.0
    left = 120 * np.arange(count, dtype=np.float32)[:, np.newaxis]
    boxes = np.concatenate([left, 0 * left, left + 100 * scale, 0 * left + 100 * scale], axis=1)
    points = np.repeat(scale * POINTS[np.newaxis], count, axis=0)
    points[..., 0] += left
    crops = np.repeat(sharp_crop()[np.newaxis], count, axis=0)
    crops[:, 0, 0] = np.array(people, np.uint8).reshape(-1, 1)
    return Response(
        {
            "boxes": boxes.astype(np.float32).reshape(1, count, 4),
            "probabilities": np.full((1, count), 0.99, np.float32),
            "landmarks": points.reshape(1, count, 5, 2),
            "angles": np.zeros((1, count), np.int32),
            "num_faces": np.array([[count]], np.int32),
            "candidates_dropped": np.zeros((1, 1), np.int32),
            "faces": crops[np.newaxis],
            "embeddings": units(256)[people].reshape(1, count, 512),
        }
    )


def reply(request):
    """The red of the first pixel is the first person, its green the second; 255 is nobody. Blue: small faces."""
    if request.outputs == (EMBEDDINGS,):
        (crops,) = request.inputs.values()
        return Response({EMBEDDINGS: units(256)[crops[:, 0, 0, 0]]})
    if "image" in request.inputs:
        return faces_like([])
    file = io.BytesIO(request.inputs["encoded_image"][0, 0])
    red, green, blue = Image.open(file).convert("RGB").getpixel((0, 0))
    return faces_like([person for person in (red, green) if person < 255], small=blue > 0)


@pytest.fixture
def server(command_transport):
    """The transport of every client that a command makes."""
    command_transport.reply = reply
    return command_transport


@pytest.fixture
def picture_of(tmp_path):
    """picture_of("ada/1.png", 1): a file that shows that person; of (1, 2) both, of () nobody."""

    def make(name: str, *people: int, small: bool = False) -> str:
        path: Path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        first, second = (*people, 255, 255)[:2]
        Image.new("RGB", (250, 120), (first, second, int(small))).save(path)
        return str(path)

    return make


@pytest.fixture
def where(tmp_path, monkeypatch):
    """The path of the default gallery."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "people.gallery"
