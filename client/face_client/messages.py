"""What is asked and answered: pictures and crops of faces as requests, responses as faces. No I/O but reading files.

A `Search` says what shall be found in pictures; of each picture it makes a `Request`, and of the `Response` to that
it makes `Faces`. Crops go to FaceNet in portions (`crop_requests`), and come back as rows.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import InvalidInput, ServerError, ServerUnavailable
from face_client.faces import Faces
from face_client.options import DetectOptions, ParameterValue, check_at_least, request_parameters
from face_pictures.decoding import decode_image, downscale, image_size, to_rgb
from face_pictures.formats import format_of

ImageLike = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Image.Image, NDArray[np.uint8]]
"""A path, the bytes of a file, a Pillow image, or an array: uint8, [H, W, 3] RGB or [H, W] gray."""

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Request:
    """inputs: arrays with their batch dimension (bytes as objects). outputs: names of those wanted.

    id: what logs and traces call the request, on both sides; the same for every attempt.
    """

    model: str
    inputs: Tensors
    outputs: tuple[str, ...]
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)


@dataclass(frozen=True)
class Response:
    """outputs: arrays with their batch dimension."""

    outputs: Tensors


# Pictures: faces, and their embeddings.

_OUTPUTS = ("boxes", "probabilities", "landmarks", "num_faces", "candidates_dropped", "picture_size")


@dataclass(frozen=True)
class Search:
    """What is asked about pictures, the same for each of a batch.

    outputs: of the model; crops and embeddings are made only where they are asked for by name.
    max_side: pictures that are larger are shrunk before they are sent; None for no limit.
    """

    model: str
    outputs: tuple[str, ...]
    max_side: int | None
    parameters: Mapping[str, ParameterValue]

    @classmethod
    def of(
        cls, model: str, crops: bool, max_side: int | None, options: DetectOptions, *, embeddings: bool = False
    ) -> Search:
        """Raises InvalidInput, and TypeError for an unknown option."""
        if max_side is not None:
            check_at_least("max_side", max_side, 1)
        outputs = (*_OUTPUTS, *(["faces"] if crops else []), *(["embeddings"] if embeddings else []))
        return cls(model, outputs, max_side, request_parameters(options))

    def request(self, image: ImageLike) -> Asked:
        """Raises InvalidInput, InvalidImage among it, and OSError for a path that cannot be read."""
        tensors, shrunk_from = _prepare(image, self.max_side)
        return Asked(Request(self.model, tensors, self.outputs, self.parameters), shrunk_from)


class Asked(NamedTuple):
    """shrunk_from: (width, height) of the caller's picture, where a smaller one is sent."""

    request: Request
    shrunk_from: tuple[int, int] | None

    def faces(self, response: Response) -> Faces:
        """The faces in the coordinates of the caller's picture. Raises ServerError if outputs are missing."""
        _check_complete(self.request, response)
        count = int(response.outputs["num_faces"][0, 0])
        width, height = response.outputs["picture_size"][0].tolist()

        def rows(name: str) -> Any:
            # Copied out of the gRPC message, which is read-only.
            return response.outputs[name][0, :count].copy() if name in self.request.outputs else None

        faces = Faces(
            boxes=rows("boxes"),
            probabilities=rows("probabilities"),
            landmarks=rows("landmarks"),
            width=width,
            height=height,
            crops=rows("faces"),
            candidates_dropped=int(response.outputs["candidates_dropped"][0, 0]),
            embeddings=rows("embeddings"),
        )
        return faces if self.shrunk_from is None else faces.resized(*self.shrunk_from)


def _prepare(image: ImageLike, max_side: int | None) -> tuple[Tensors, tuple[int, int] | None]:
    """The model's inputs for one image, and its (width, height) where it was shrunk for them, upright.

    Files go as they are: they are smaller than their pixels and the server reads them with the same code.
    Raises InvalidInput, InvalidImage among it, and OSError for a path that cannot be read.
    """
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


def _prepare_file(data: bytes, max_side: int | None) -> tuple[Tensors, tuple[int, int] | None]:
    # What is no picture at all need not travel to be refused.
    format_of(data)
    if max_side is not None and max(image_size(data)) > max_side:
        return _prepare_array(decode_image(data), max_side)
    return {"encoded_image": np.array([[data]], dtype=np.object_)}, None


def _prepare_array(image: NDArray[np.uint8], max_side: int | None) -> tuple[Tensors, tuple[int, int] | None]:
    sent = image if max_side is None else downscale(image, max_side)
    size = image.shape[1], image.shape[0]
    return {"image": np.ascontiguousarray(sent)[np.newaxis]}, None if sent is image else size


def _checked_rgb(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The array as RGB [H, W, 3]; gray is repeated in the three channels."""
    is_rgb = array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (is_rgb or array.ndim == 2) or 0 in array.shape:
        raise InvalidInput(
            f"image is {array.dtype} with shape {list(array.shape)}; "
            "it must be uint8, [H, W, 3] RGB or [H, W] gray, with at least one pixel"
        )
    return array if is_rgb else np.repeat(array[:, :, np.newaxis], 3, axis=2)


def _check_complete(request: Request, response: Response) -> None:
    """Raises ServerError if outputs are missing."""
    missing = [name for name in request.outputs if name not in response.outputs]
    if missing:
        raise ServerError(f"model {request.model!r} did not return {', '.join(missing)}")


# Crops of faces: what FaceNet says of them.

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
    _check_complete(request, response)
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
