"""What goes over the wire: pictures and crops of faces as requests, responses as faces."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Callable, Union

import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from PIL import Image
from tritonclient.utils import np_to_triton_dtype

from face_client.errors import InvalidInput, ServerError, ServerUnavailable
from face_client.faces import Faces
from face_client.options import ParameterValue
from face_client.tls import Tls
from face_pictures.decoding import decode_image, downscale, image_size, to_rgb

# What goes over the wire, and how tritonclient is told: shared by every transport.


# gRPC's largest: a 50-megapixel picture as raw pixels has 150 MB, and gRPC's own default is 4 MB.
_MAX_MESSAGE_BYTES = 2**31 - 1

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    # A peer that vanished without a word is noticed during a long call. Only while calls are open, and
    # not oftener: servers end connections that ping more than they like.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # Left alone, gRPC waits up to two minutes before it looks again for a server that is starting.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


@dataclass(frozen=True)
class Request:
    """inputs: arrays with their batch dimension (bytes as objects). outputs: names of those wanted.

    id: what logs and traces call the request, on both sides; the same for every attempt.
    """

    model: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)


@dataclass(frozen=True)
class Response:
    """outputs: arrays with their batch dimension."""

    outputs: Mapping[str, NDArray[Any]]


def connection_arguments(url: str, tls: Tls | None) -> dict[str, Any]:
    """Those of tritonclient's clients, for threads or for asyncio. url: host:port. Raises InvalidInput."""
    tls_arguments = {} if tls is None else tls.connection_arguments()
    # A proxy that is set for the world has no part in what stays on this machine.
    proxy = ("grpc.enable_http_proxy", int(not url.startswith(("127.", "localhost:"))))
    return {"url": url, "channel_args": [*_CHANNEL_OPTIONS, proxy], **tls_arguments}


def infer_arguments(request: Request) -> dict[str, Any]:
    """Those of tritonclient's `infer`, `async_stream_infer` and `stream_infer`."""
    return {
        "model_name": request.model,
        "inputs": [_infer_input(name, array) for name, array in request.inputs.items()],
        "outputs": [triton.InferRequestedOutput(name) for name in request.outputs],
        "request_id": request.id,
        "parameters": dict(request.parameters),
    }


def response_from(result: triton.InferResult) -> Response:
    """The arrays that tritonclient received."""
    returned = [output.name for output in result.get_response().outputs]
    return Response({name: result.as_numpy(name) for name in returned})


def _infer_input(name: str, array: NDArray[Any]) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor


# Whatever the caller calls an image → the input tensor of the model.


ImageLike = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Image.Image, NDArray[np.uint8]]
"""A path, the bytes of a file, a Pillow image, or an array: uint8, [H, W, 3] RGB or [H, W] gray."""


@dataclass(frozen=True)
class PreparedImage:
    """tensors: the model's inputs for one image. size: (width, height) of the caller's image, upright.
    sent_size: of the picture in the tensors, which `max_side` may have made smaller."""

    tensors: Mapping[str, NDArray[Any]]
    size: tuple[int, int]
    sent_size: tuple[int, int]


def prepare(image: ImageLike, max_side: int | None) -> PreparedImage:
    """The tensors for an image.

    Files go as they are: they are smaller than their pixels and the server reads them with the same code.
    Raises InvalidInput, InvalidImage among it, and OSError for a path that cannot be read.
    """
    if max_side is not None and max_side < 1:
        raise InvalidInput(f"max_side is {max_side}; it must be at least 1")
    if isinstance(image, (str, os.PathLike)):
        return _prepare_file(Path(image).read_bytes(), max_side)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _prepare_file(bytes(image), max_side)
    if isinstance(image, Image.Image):
        return _prepare_array(to_rgb(image), max_side)
    if isinstance(image, np.ndarray):
        return _prepare_array(_checked_rgb(image), max_side)
    raise InvalidInput(
        f"image is of type {type(image).__name__}; it must be a path, bytes, a Pillow image or a NumPy array"
    )


def _prepare_file(data: bytes, max_side: int | None) -> PreparedImage:
    size = image_size(data)
    if max_side is not None and max(size) > max_side:
        return _prepare_array(decode_image(data), max_side)
    return PreparedImage({"encoded_image": np.array([[data]], dtype=np.object_)}, size, size)


def _prepare_array(image: NDArray[np.uint8], max_side: int | None) -> PreparedImage:
    sent = image if max_side is None else downscale(image, max_side)
    return PreparedImage({"image": np.ascontiguousarray(sent)[np.newaxis]}, _size(image), _size(sent))


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _checked_rgb(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The array as RGB [H, W, 3]; gray is repeated in the three channels."""
    is_rgb = array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (is_rgb or array.ndim == 2) or 0 in array.shape:
        raise InvalidInput(
            f"image is {array.dtype} with shape {list(array.shape)}; "
            "it must be uint8, [H, W, 3] RGB or [H, W] gray, with at least one pixel"
        )
    return array if is_rgb else np.repeat(array[:, :, np.newaxis], 3, axis=2)


# A prepared image → a request to the model, and the model's response → Faces.


MakeRequest = Callable[[str, PreparedImage, Mapping[str, ParameterValue], bool], Request]
"""(model, image, parameters, crops) → the request for one image."""

_DETECTION_OUTPUTS = ("boxes", "probabilities", "landmarks", "num_faces", "candidates_dropped")


def detection_request(
    model: str, prepared: PreparedImage, parameters: Mapping[str, ParameterValue], crops: bool
) -> Request:
    """The request for one image; the server cuts crops only where they are asked for by name."""
    outputs = (*_DETECTION_OUTPUTS, "faces") if crops else _DETECTION_OUTPUTS
    return Request(model, prepared.tensors, outputs, parameters)


def recognition_request(
    model: str, prepared: PreparedImage, parameters: Mapping[str, ParameterValue], crops: bool
) -> Request:
    """The request for one image, embeddings included."""
    request = detection_request(model, prepared, parameters, crops)
    return replace(request, outputs=(*request.outputs, "embeddings"))


def check_complete(request: Request, response: Response) -> None:
    """Raises ServerError if outputs are missing."""
    missing = [name for name in request.outputs if name not in response.outputs]
    if missing:
        raise ServerError(f"model {request.model!r} did not return {', '.join(missing)}")


def faces_from(request: Request, response: Response, prepared: PreparedImage) -> Faces:
    """The faces in the coordinates of the caller's image. Raises ServerError if outputs are missing."""
    check_complete(request, response)
    count = int(response.outputs["num_faces"][0, 0])
    # Copied out of the gRPC message, which is read-only.
    rows: dict[str, Any] = {name: response.outputs[name][0, :count].copy() for name in request.outputs}
    width, height = prepared.sent_size
    faces = Faces(
        boxes=rows["boxes"],
        probabilities=rows["probabilities"],
        landmarks=rows["landmarks"],
        width=width,
        height=height,
        crops=rows.get("faces"),
        candidates_dropped=int(response.outputs["candidates_dropped"][0, 0]),
        embeddings=rows.get("embeddings"),
    )
    return faces if prepared.size == prepared.sent_size else faces.resized(*prepared.size)


# Crops of faces → requests to FaceNet, and its responses → one row a crop.


CROP_SIZE = 160
"""Side of a crop in pixels: what FaceNet was trained on."""

EMBEDDING_SIZE = 512

CROPS_PER_REQUEST = 64
"""The server refuses larger requests."""

INPUT = "crops__0"
EMBEDDINGS = "embeddings__0"
LOGITS = "logits__1"

Crops = Union[NDArray[np.uint8], Sequence[NDArray[np.uint8]]]
"""RGB pixels, uint8 [N, 160, 160, 3], or a sequence of [160, 160, 3]."""


def crop_requests(model: str, crops: Crops, output: str) -> Iterator[Request]:
    """Requests for one output of FaceNet, with as many crops each as the server takes; none for no crops.

    Raises InvalidInput at the first crop that is of another size or type.
    """
    for start in range(0, len(crops), CROPS_PER_REQUEST):
        batch = _stacked(crops[start : start + CROPS_PER_REQUEST], start)
        yield Request(model, {INPUT: batch}, (output,))


def _stacked(crops: Crops, start: int) -> NDArray[np.uint8]:
    for number, crop in enumerate(crops, start):
        shape, dtype = getattr(crop, "shape", None), getattr(crop, "dtype", type(crop).__name__)
        if shape != (CROP_SIZE, CROP_SIZE, 3) or dtype != np.uint8:
            of_shape = "" if shape is None else f" with shape {list(shape)}"
            raise InvalidInput(f"crops[{number}] is {dtype}{of_shape}; it must be uint8 [160, 160, 3] RGB")
    return np.ascontiguousarray(crops)


def rows_from(request: Request, response: Response) -> NDArray[np.float32]:
    """What FaceNet says of each crop of the request. Raises ServerError if it says nothing."""
    check_complete(request, response)
    rows: NDArray[Any] = response.outputs[request.outputs[0]]
    return rows


def joined(batches: Sequence[NDArray[np.float32]], columns: int) -> NDArray[np.float32]:
    """All rows in order, float32 [N, columns]; N may be 0."""
    return np.concatenate([np.empty((0, columns), np.float32), *batches])


def joined_logits(batches: Sequence[NDArray[np.float32]], model: str) -> NDArray[np.float32]:
    """All rows in order, float32 [N, K]; of no batches, K is 0.

    Raises ServerUnavailable where the weights that the model has have no classifier.
    """
    columns = batches[0].shape[1] if batches else 0
    if batches and not columns:
        raise ServerUnavailable(f"the weights of model {model!r} have no classifier, so there are no logits")
    return joined(batches, columns)
