"""Crops of faces → requests to FaceNet, and its responses → one row a crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from face_client.answers import check_complete
from face_client.errors import InvalidInput, ServerUnavailable
from face_client.transport import Request, Response

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
