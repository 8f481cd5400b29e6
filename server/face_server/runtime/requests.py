"""From Triton requests to images and parameters, and back to responses."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from face_cascade import Detection, DetectionParameters, InvalidInput
from face_cascade.crops import face_crops
from face_client.images import InvalidImage, decode_image

Image = NDArray[np.uint8]

# 3,500 faces of 160x160. gRPC ends at 2 GiB, and every answer is held in memory several times on its way.
_MOST_CROP_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class ImageRequest:
    """A request's images, RGB UINT8 [H,W,3] each, and the parameters for all of them."""

    images: list[Image]
    parameters: DetectionParameters
    wanted: frozenset[str]

    @property
    def pixels(self) -> int:
        return sum(image.shape[0] * image.shape[1] for image in self.images)


def read_request(request: Any, max_pixels: int) -> ImageRequest:
    """Checks and decodes one request.

    Raises:
        InvalidInput, InvalidImage: with a sentence for the caller.
    """
    parameters = DetectionParameters.parse(json.loads(request.parameters() or "{}"))
    raw = pb_utils.get_input_tensor_by_name(request, "image")
    encoded = pb_utils.get_input_tensor_by_name(request, "encoded_image")
    if (raw is None) == (encoded is None):
        found = "neither" if raw is None else "both"
        raise InvalidInput(f"inputs given are {found} of image and encoded_image, must be exactly one")
    if raw is not None:
        images = _raw_images(raw.as_numpy(), max_pixels)
    else:
        images = [decode_image(data, max_pixels) for data in encoded.as_numpy().reshape(-1)]
    return ImageRequest(images, parameters, frozenset(request.requested_output_names()))


def _raw_images(batch: NDArray[np.uint8], max_pixels: int) -> list[Image]:
    if batch.size == 0:
        raise InvalidInput(f"image has shape {list(batch.shape)}, must hold at least one pixel")
    height, width = batch.shape[1:3]
    if height * width > max_pixels:
        raise InvalidInput(f"image has {width}x{height} pixels, must have at most {max_pixels:,} in all")
    return list(np.ascontiguousarray(batch))


def answer(request: ImageRequest, detections: Sequence[Detection]) -> Any:
    """The response to one request: one row an image, filled up with zeros to the most faces of any image.

    Raises:
        InvalidInput: the crops asked for are too large.
    """
    size, margin = request.parameters.image_size, request.parameters.margin
    if "faces" in request.wanted:
        _check_crops(len(detections) * max(len(d.boxes) for d in detections), size)
    outputs: dict[str, Callable[[], NDArray[Any]]] = {
        "boxes": lambda: _rows([d.boxes for d in detections], (4,), np.float32),
        "probabilities": lambda: _rows([d.probabilities for d in detections], (), np.float32),
        "landmarks": lambda: _rows([d.landmarks for d in detections], (5, 2), np.float32),
        "faces": lambda: _rows(
            [face_crops(i, d.boxes, size, margin) for i, d in zip(request.images, detections, strict=True)],
            (size, size, 3),
            np.uint8,
        ),
        "num_faces": lambda: np.array([[len(d.boxes)] for d in detections], np.int32),
        "candidates_dropped": lambda: np.array([[d.candidates_dropped] for d in detections], np.int32),
    }
    # Crops cost time and bandwidth: nothing is made that was not asked for.
    tensors = [pb_utils.Tensor(name, make()) for name, make in outputs.items() if name in request.wanted]
    return pb_utils.InferenceResponse(output_tensors=tensors)


def _check_crops(count: int, size: int) -> None:
    if count * size * size * 3 > _MOST_CROP_BYTES:
        raise InvalidInput(
            f"image_size is {size}, must be smaller for {count} faces: their crops may have {_MOST_CROP_BYTES:,} bytes"
        )


def _rows(parts: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Stacks [Nᵢ, …] arrays to [B, max N, …], zeros behind the real rows."""
    stacked = np.zeros((len(parts), max(map(len, parts)), *shape), dtype)
    for row, part in zip(stacked, parts, strict=True):
        row[: len(part)] = part
    return stacked


def refusal(error: InvalidInput | InvalidImage) -> Any:
    """The response to a request that cannot be used."""
    return failure(str(error), pb_utils.TritonError.INVALID_ARG)


def failure(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
