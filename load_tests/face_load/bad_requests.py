"""Requests that a caller gets wrong: each must be refused with INVALID_ARGUMENT, and disturb nobody else."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image
from tritonclient.grpc import service_pb2

from face_bench.wire import serialised_tensors

_SIDE = 64


def bad_messages(model: str, outputs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Name and serialised request of each kind."""
    pixels = np.zeros((1, _SIDE, _SIDE, 3), np.uint8)
    for name, tensors in (
        ("no picture", {"encoded_image": _bytes(b"no picture at all")}),
        ("cut off", {"encoded_image": _bytes(_jpeg()[:200])}),
        ("no bytes", {"encoded_image": _bytes(b"")}),
        ("both inputs", {"image": pixels, "encoded_image": _bytes(_jpeg())}),
        ("wrong type", {"image": pixels.astype(np.float32)}),
        ("wrong shape", {"image": pixels[..., :1]}),
    ):
        yield name, serialised_tensors(tensors, model, outputs)
    yield "wrong parameter", _with_parameter(serialised_tensors({"image": pixels}, model, outputs), "min_face_size", -1)
    yield "unknown parameter", _with_parameter(serialised_tensors({"image": pixels}, model, outputs), "no_such", 1)


def _with_parameter(message: bytes, name: str, value: int) -> bytes:
    request = service_pb2.ModelInferRequest.FromString(message)
    request.parameters[name].int64_param = value
    changed: bytes = request.SerializeToString()
    return changed


def _bytes(data: bytes) -> np.ndarray:
    return np.array([[data]], dtype=np.object_)


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE), "grey").save(file, "JPEG")
    return file.getvalue()
