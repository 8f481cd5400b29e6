"""A server's answers without a server, and pictures as files."""

import io
import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

import face_client._sync.client
from face_client.errors import FaceError
from face_client.messages import WEIGHTS, Request, Response
from face_client.weights import Weights
from face_command import console
from face_pictures.decoding import image_size

Reply = Callable[[Request], Response]


def answer(count: int = 1, candidates_dropped: int = 0) -> Response:
    """`count` faces; face i has its box at (i, 10, i + 20, 40), and an embedding with 1 at i."""
    boxes = np.array([[i, 10, i + 20, 40] for i in range(count)], np.float32).reshape(1, count, 4)
    landmarks = np.arange(count * 10, dtype=np.float32).reshape(1, count, 5, 2)
    return Response(
        {
            "boxes": boxes,
            "probabilities": np.full((1, count), 0.9, np.float32),
            "landmarks": landmarks,
            "angles": np.full((1, count), 90, np.int32),
            "num_faces": np.array([[count]], np.int32),
            "candidates_dropped": np.array([[candidates_dropped]], np.int32),
            "faces": np.zeros((1, count, 160, 160, 3), np.uint8),
            "embeddings": np.eye(count, 512, dtype=np.float32)[np.newaxis],
        }
    )


def picture_size(request: Request) -> np.ndarray:
    """What a server says of the picture in a request, INT32 [1, 2]: width, height."""
    if "image" in request.inputs:
        height, width = request.inputs["image"].shape[1:3]
    else:
        width, height = image_size(request.inputs["encoded_image"][0, 0])
    return np.array([[width, height]], np.int32)


TRAINED = Weights("trained.pt", "0f" * 32, random=False)
UNTRAINED = Weights("RandomState(0)", "f0" * 32, random=True)


class FakeTransport:
    """Answers by a function, and with the picture's size where the function gives none; remembers the requests.

    weights: that its FaceNet says it has, with embeddings and by itself, which is not remembered.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.requests: list[Request] = []
        self.timeouts: list[float] = []
        self.ready = True
        self.closed = False
        self.weights = TRAINED
        self._lock = threading.Lock()

    def infer(self, request: Request, timeout: float) -> Response:
        about = json.dumps(self.weights.to_dict()).encode()
        if request.outputs == (WEIGHTS,):
            return Response({WEIGHTS: np.frombuffer(about, np.uint8)[np.newaxis]})
        with self._lock:
            self.requests.append(request)
            self.timeouts.append(timeout)
        response = self.reply(request)
        if "boxes" in response.outputs and "picture_size" not in response.outputs:
            response = Response({**response.outputs, "picture_size": picture_size(request)})
        if "weights" in request.outputs and "weights" not in response.outputs:
            response = Response({**response.outputs, "weights": np.array([[about]], np.object_)})
        return response

    def is_ready(self, model: str, timeout: float) -> bool:  # noqa: ARG002 the protocol's
        return self.ready

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def make_transport() -> Callable[..., FakeTransport]:
    """make_transport(function) or make_transport(error or answer, …), one a call, the last for ever."""

    def make(*replies: Any) -> FakeTransport:
        if not replies:
            return FakeTransport(lambda _request: answer())
        if callable(replies[0]):
            return FakeTransport(replies[0])
        queue = list(replies)

        def reply(_request: Request) -> Response:
            result = queue.pop(0) if len(queue) > 1 else queue[0]
            if isinstance(result, FaceError):
                raise result
            return result

        return FakeTransport(reply)

    return make


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without rich; what a person at a terminal sees has tests of its own."""
    monkeypatch.setattr(console, "HAS_RICH", False)


@pytest.fixture
def command_transport(make_transport: Callable[..., FakeTransport], monkeypatch: pytest.MonkeyPatch) -> FakeTransport:
    """The transport of every client that a command makes."""
    fake = make_transport()
    monkeypatch.setattr(face_client._sync.client, "GrpcTransport", lambda *_arguments: fake)
    return fake


@pytest.fixture
def make_answer() -> Callable[..., Response]:
    return answer


@pytest.fixture
def picture() -> np.ndarray:
    """RGB [30, 40, 3]: smooth, no two rows, columns or corners alike."""
    y, x = np.mgrid[0:30, 0:40]
    return np.stack([x * 6, y * 8, (x + y) * 3], axis=2).astype(np.uint8)


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """encode(image or array, format, **save options): the bytes of a file."""

    def encode_image(image: Any, image_format: str, **options: Any) -> bytes:
        stream = io.BytesIO()
        if image_format == "HEIF":
            pillow_heif.register_heif_opener()
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        image.save(stream, image_format, **options)
        return stream.getvalue()

    return encode_image
