"""From Triton requests to images and parameters, and back to responses."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from face_cascade import Detection, DetectionParameters, InvalidInput
from face_cascade.crops import detection_crops
from face_cascade.networks import FACENET
from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage, TooManyPixels
from face_runtime.answers import Refused, caller_is_gone, rows

# How much of a batch goes through the cascade at a time.


def pixel_groups(pixels: Sequence[int], most: int) -> Iterator[slice]:
    """Cuts a batch of requests of so many pixels each into runs of at most `most` pixels, or of one request.

    All at once, the integral images of a batch of the largest images would take 10 GB.
    """
    start = total = 0
    for n, size in enumerate(pixels):
        if n > start and total + size > most:
            yield slice(start, n)
            start, total = n, 0
        total += size
    if start < len(pixels):
        yield slice(start, len(pixels))


Image = NDArray[np.uint8]

# 3,500 faces of 160x160. gRPC ends at 2 GiB, and every answer is held in memory several times on its way.
_MOST_CROP_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class ImageRequest:
    """A request's images, RGB UINT8 [H,W,3] each, and the parameters for all of them.

    is_gone: whether its caller has hung up or its deadline has passed; asks Triton each time.
    """

    images: list[Image]
    parameters: DetectionParameters
    wanted: frozenset[str]
    is_gone: Callable[[], bool]

    @property
    def pixels(self) -> int:
        return sum(image.shape[0] * image.shape[1] for image in self.images)


def read_request(request: Any, max_pixels: int) -> ImageRequest:
    """Checks and decodes one request. Its images go through the cascade together, and may have max_pixels in all.

    Raises:
        Refused: with a reason, and a sentence for the caller.
    """
    if request.is_cancelled():
        raise caller_is_gone()
    with _refusing("parameter"):
        parameters = DetectionParameters.parse(json.loads(request.parameters() or "{}"))
    raw = pb_utils.get_input_tensor_by_name(request, "image")
    encoded = pb_utils.get_input_tensor_by_name(request, "encoded_image")
    if (raw is None) == (encoded is None):
        found = "neither" if raw is None else "both"
        raise Refused("input", f"inputs given are {found} of image and encoded_image, must be exactly one")
    with _refusing("image"):
        if raw is not None:
            images = _raw_images(raw.as_numpy(), max_pixels)
        else:
            images = _decoded_images(encoded.as_numpy().reshape(-1), max_pixels)
    return ImageRequest(images, parameters, frozenset(request.requested_output_names()), request.is_cancelled)


@contextmanager
def _refusing(reason: str) -> Iterator[None]:
    """Turns what is wrong with a caller's input into Refused, for this reason or for the number of pixels."""
    try:
        yield
    except (InvalidInput, InvalidImage) as error:
        raise Refused("too_large" if isinstance(error, TooManyPixels) else reason, str(error)) from error


def _raw_images(batch: NDArray[np.uint8], max_pixels: int) -> list[Image]:
    if batch.size == 0:
        raise InvalidImage(f"image has shape {list(batch.shape)}, must hold at least one pixel")
    height, width = batch.shape[1:3]
    if len(batch) * height * width > max_pixels:
        count = f"{len(batch)} times " if len(batch) > 1 else ""
        raise TooManyPixels(f"image has {count}{width}x{height} pixels, must have at most {max_pixels:,} in all")
    return list(np.ascontiguousarray(batch))


def _decoded_images(files: NDArray[np.object_], max_pixels: int) -> list[Image]:
    """One after the other: what is over the limit is refused before memory is spent on it."""
    images: list[Image] = []
    left = max_pixels
    for data in files:
        try:
            images.append(decode_image(data, left))
        except TooManyPixels as error:
            if not images:
                raise
            raise TooManyPixels(
                f"encoded_image has more than {max_pixels} pixels in its {len(files)} pictures; "
                "send them as requests of their own"
            ) from error
        left -= images[-1].shape[0] * images[-1].shape[1]
    return images


def answer(request: ImageRequest, detections: Sequence[Detection]) -> Any:
    """The response to one request: one row an image, filled up with zeros to the most faces of any image.

    Raises:
        Refused: the crops asked for are too large.
    """
    sides = {"faces": request.parameters.image_size, "facenet_crops": FACENET.side}
    wanted_sides = {side for name, side in sides.items() if name in request.wanted}
    _check_crops(len(detections) * max(len(d.boxes) for d in detections), request.parameters.image_size, wanted_sides)

    @cache
    def crops(side: int) -> NDArray[np.uint8]:
        cut = zip(request.images, detections, strict=True)
        return rows([detection_crops(i, d, request.parameters, side) for i, d in cut], (side, side, 3), np.uint8)

    counts = np.array([[len(d.boxes)] for d in detections], np.int32)
    outputs: dict[str, Callable[[], NDArray[Any]]] = {
        "boxes": lambda: rows([d.boxes for d in detections], (4,), np.float32),
        "probabilities": lambda: rows([d.probabilities for d in detections], (), np.float32),
        "landmarks": lambda: rows([d.landmarks for d in detections], (5, 2), np.float32),
        **{name: partial(crops, side) for name, side in sides.items()},
        "num_faces": lambda: counts,
        # [H,W,3] turned round: callers think in width and height.
        "picture_size": lambda: np.array([i.shape[1::-1] for i in request.images], np.int32),
        "num_crops": lambda: counts,
        "candidates_dropped": lambda: np.array([[d.candidates_dropped] for d in detections], np.int32),
    }
    # Crops cost time and bandwidth: nothing is made that was not asked for.
    tensors = [pb_utils.Tensor(name, make()) for name, make in outputs.items() if name in request.wanted]
    return pb_utils.InferenceResponse(output_tensors=tensors)


def _check_crops(count: int, size: int, sides: Iterable[int]) -> None:
    if count * sum(side * side * 3 for side in sides) > _MOST_CROP_BYTES:
        raise Refused(
            "answer_too_large",
            f"image_size is {size}, must be smaller for {count} faces, or max_faces lower: "
            f"their crops may have {_MOST_CROP_BYTES:,} bytes",
        )
