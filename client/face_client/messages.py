"""What is asked and answered: pictures and crops of faces as requests, responses as faces. No I/O but reading files.

A `Search` says what shall be found in pictures; of each picture it makes a `Request`, and of the `Response` to that
it makes `Faces`. Crops go to FaceNet in portions (`crop_requests`), and come back as rows.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput, ServerError, UnfitWeights
from face_client.faces import Faces
from face_client.images import ArrayLike, ImageLike, Tensors, as_array, is_array, prepared
from face_client.options import DetectOptions, ParameterValue, check_at_least, request_parameters
from face_client.weights import Weights

_id_prefix = ContextVar("faces_request_id_prefix", default="")


@contextmanager
def ids_beginning(prefix: str) -> Iterator[None]:
    """For requests that a log must tell from those of callers."""
    token = _id_prefix.set(prefix)
    try:
        yield
    finally:
        _id_prefix.reset(token)


@dataclass(frozen=True)
class Request:
    """inputs: arrays with their batch dimension (bytes as objects). outputs: names of those wanted.

    id: what logs and traces call the request, on both sides; the same for every attempt.
    """

    model: str
    inputs: Tensors
    outputs: tuple[str, ...]
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    id: str = field(default_factory=lambda: f"{_id_prefix.get()}{uuid.uuid4().hex}", compare=False)


@dataclass(frozen=True)
class Response:
    """outputs: arrays with their batch dimension."""

    outputs: Tensors


# Pictures: faces, and their embeddings.

_OUTPUTS = ("boxes", "probabilities", "landmarks", "num_faces", "candidates_dropped", "picture_size")


@dataclass(frozen=True)
class Search:
    """What is asked about pictures, the same for each of a batch.

    outputs: of the model; crops, embeddings and timing are made only where they are asked for by name.
    max_side: pictures that are larger are shrunk before they are sent; None for no limit.
    """

    model: str
    outputs: tuple[str, ...]
    max_side: int | None
    parameters: Mapping[str, ParameterValue]

    @classmethod
    def of(
        cls,
        model: str,
        crops: bool,
        max_side: int | None,
        options: DetectOptions,
        *,
        embeddings: bool = False,
        timing: bool = False,
    ) -> Search:
        """Raises InvalidInput, and TypeError for an unknown option."""
        if max_side is not None:
            check_at_least("max_side", max_side, 1)
        parameters = request_parameters(options)
        wanted = {
            "faces": crops,
            "embeddings": embeddings,
            "weights": embeddings,
            "angles": parameters.get("rotations"),
            "timing": timing,
        }
        outputs = (*_OUTPUTS, *(name for name, is_wanted in wanted.items() if is_wanted))
        return cls(model, outputs, max_side, parameters)

    def request(self, image: ImageLike) -> Asked:
        """Raises InvalidInput, InvalidImage among it, and OSError for a path that cannot be read."""
        tensors, shrunk_from = prepared(image, self.max_side)
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
            angles=rows("angles"),
            weights=_weights(response),
            timing=_timing(response),
        )
        if self.shrunk_from is None:
            return faces
        faces = faces.resized(*self.shrunk_from)
        # Scaled up, a border may be off by the last digit.
        return replace(faces, boxes=faces.clip()) if self.request.parameters.get("clip") else faces


def _weights(response: Response) -> Weights | None:
    """Empty where nothing was embedded."""
    text = response.outputs["weights"][0, 0] if "weights" in response.outputs else b""
    return Weights.parse(text) if text else None


def _timing(response: Response) -> dict[str, float] | None:
    """Raises ServerError where it is not what our servers say."""
    if "timing" not in response.outputs:
        return None
    text = response.outputs["timing"][0, 0]
    try:
        return {name: float(value) for name, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ServerError(f"the server says of its time {text[:60]!r}, which is none of its sentences") from error


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
WEIGHTS = "weights__2"

Crops = Union[ArrayLike, Iterable[ArrayLike]]
"""RGB pixels, uint8 [N, 160, 160, 3], or an iterable of [160, 160, 3]; arrays, or tensors as of `images.ImageLike`."""


def crop_requests(model: str, crops: Crops, output: str) -> Iterator[Request]:
    """Requests for one output of FaceNet, with as many crops each as the server takes; none for no crops.

    Raises InvalidInput at the first crop that is of another size or type.
    """
    rows = _listed(crops)
    for start in range(0, len(rows), CROPS_PER_REQUEST):
        batch = _stacked(rows[start : start + CROPS_PER_REQUEST], start)
        yield Request(model, {INPUT: batch}, (output,))


def _listed(crops: Any) -> Sequence[Any] | NDArray[Any]:
    if is_array(crops):
        array = as_array(crops, "crops")
        if array.shape == (CROP_SIZE, CROP_SIZE, 3):
            raise InvalidInput("crops is one crop; it must be many, such as [crop]")
        if array.ndim == 0:
            raise InvalidInput(f"crops is one {array.dtype}; it must be uint8 [N, {CROP_SIZE}, {CROP_SIZE}, 3] RGB")
        return array
    if not hasattr(crops, "__iter__"):
        raise InvalidInput(f"crops is of type {type(crops).__name__}; it must be an array or an iterable of arrays")
    return crops if isinstance(crops, Sequence) else list(crops)


def _stacked(crops: Sequence[Any] | NDArray[Any], start: int) -> NDArray[np.uint8]:
    arrays = []
    for number, crop in enumerate(crops, start):
        array = as_array(crop, f"crops[{number}]") if is_array(crop) else None
        if array is None or array.shape != (CROP_SIZE, CROP_SIZE, 3) or array.dtype != np.uint8:
            what = type(crop).__name__ if array is None else f"{array.dtype} with shape {list(array.shape)}"
            raise InvalidInput(f"crops[{number}] is {what}; it must be uint8 [160, 160, 3] RGB")
        arrays.append(array)
    return np.stack(arrays)


def weights_request(model: str) -> Request:
    """What weights FaceNet has; it is asked about a black crop."""
    return Request(model, {INPUT: np.zeros((1, CROP_SIZE, CROP_SIZE, 3), np.uint8)}, (WEIGHTS,))


def weights_from(request: Request, response: Response) -> Weights:
    """What FaceNet says of them. Raises ServerError."""
    _check_complete(request, response)
    return Weights.parse(response.outputs[WEIGHTS][0].tobytes())


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

    Raises UnfitWeights where the weights that the model has have no classifier.
    """
    columns = batches[0].shape[1] if batches else 0
    if batches and not columns:
        raise UnfitWeights(
            f"the weights of model {model!r} have no classifier, so there are no logits: export others with "
            "`faces export --facenet vggface2`"
        )
    return joined(batches, columns)
