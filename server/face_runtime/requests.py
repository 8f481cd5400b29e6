"""Requests of model `mtcnn`: from Triton's tensors to images and parameters, from detections to tensors."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_cascade import Detection, DetectionParameters, InvalidInput, TooManyCandidates
from face_cascade.networks import FACENET
from face_cascade.parameters import read as read_parameters
from face_pictures.errors import InvalidImage, TooManyPixels
from face_pictures.formats import format_of
from face_runtime.answers import Refused, Request, check_callers, refusing
from face_runtime.engine import Decoder, Engine
from face_runtime.identification import EMBEDDED, NAMED, IdentificationParameters, is_asked_for
from face_runtime.record import Record
from face_runtime.stacking import rows

Image = NDArray[np.uint8]

TIMING = "timing"
"""The output that is known only when all others of the execution are made."""

# 3,500 faces of 160x160. gRPC ends at 2 GiB, and every answer is held in memory several times on its way.
_MOST_CROP_BYTES = 256 * 1024 * 1024

_BASE64 = re.compile(rb"[A-Za-z0-9+/]{32}")


class ImageRequest(Request):
    """images: RGB UINT8 [H,W,3] each, as the engine holds them, and parameters, the same for all, once it is read."""

    images: list[Any]
    parameters: DetectionParameters

    @property
    def pixels(self) -> int:
        return sum(image.shape[0] * image.shape[1] for image in self.images)

    def read(self, max_pixels: int, decoder: Decoder) -> None:
        """Checks it and opens its pictures, or refuses it, with a sentence that names what is wrong.

        Its images go through the cascade together, and may have max_pixels in all. `decoded` is to follow.
        """
        with refusing([self], "model mtcnn has too little memory to read this request now"):
            check_callers([self])
            with _callers_fault("parameter"):
                self.parameters = self._detection(json.loads(self.triton.parameters() or "{}"))
            raw, encoded = self.tensor("image"), self.tensor("encoded_image")
            if (raw is None) == (encoded is None):
                found = "neither" if raw is None else "both"
                raise Refused("input", f"inputs given are {found} of image and encoded_image, must be exactly one")
            with _callers_fault("image"):
                self.images = (
                    _raw(raw, max_pixels) if encoded is None else _opened(encoded.reshape(-1), max_pixels, decoder.open)
                )

    def _detection(self, values: Mapping[str, Any]) -> DetectionParameters:
        """Checks those of identification too where these are asked for, which come later in the same ensemble."""
        others = [IdentificationParameters] if is_asked_for(self.triton.requested_output_names()) else []
        parameters: DetectionParameters = read_parameters(values, DetectionParameters, *others)[0]
        return parameters

    def decoded(self, images: Sequence[Any]) -> None:
        """Takes its images, in order; refuses itself where one of them is an InvalidImage instead."""
        with refusing([self], "model mtcnn has too little memory to read this request now"), _callers_fault("image"):
            for image in images:
                if isinstance(image, InvalidImage):
                    raise image
            self.images = list(images)

    def answer(self, found: Sequence[Detection | TooManyCandidates], engine: Engine) -> None:
        """One row an image, filled up with zeros to the most faces of any image. Refuses itself where an image has too
        many candidates, or the crops are too large.

        engine: that which holds the images.
        """
        with refusing([self], "model mtcnn has too little memory to answer this request now"), engine.guard():
            detections = []
            for detection in found:
                if isinstance(detection, TooManyCandidates):
                    raise Refused("too_large", str(detection)) from detection
                detections.append(detection)
            self.give(self._outputs(detections, engine))

    def timed(self, record: Record) -> None:
        """Adds to an answer how long the stages of its whole execution took, where that is asked for."""
        if self.is_answered and TIMING in self.triton.requested_output_names():
            text = json.dumps(record.timing).encode()
            self.add(TIMING, np.full((len(self.images), 1), text, np.object_))

    def _outputs(self, detections: Sequence[Detection], engine: Engine) -> dict[str, Any]:
        wanted = set(self.triton.requested_output_names())
        sides = {"faces": self.parameters.image_size, "facenet_crops": FACENET.side}
        most = max(len(d.boxes) for d in detections)
        self._check_crops(len(detections) * most, {side for name, side in sides.items() if name in wanted})

        pairs = list(zip(self.images, detections, strict=True))

        @cache
        def crops(side: int) -> Any:
            return engine.crops(self.images, detections, self.parameters, side)

        def integers(values: Sequence[Sequence[int]]) -> NDArray[np.int32]:
            return np.array(values, np.int32)

        outputs: dict[str, Callable[[], Any]] = {
            "boxes": lambda: rows([self._answered(*pair) for pair in pairs], (4,), np.float32),
            "probabilities": lambda: rows([d.probabilities for d in detections], (), np.float32),
            "landmarks": lambda: rows([d.landmarks for d in detections], (5, 2), np.float32),
            "angles": lambda: rows([d.angles for d in detections], (), np.int32),
            **{name: partial(crops, side) for name, side in sides.items()},
            "num_faces": lambda: integers([[len(d.boxes)] for d in detections]),
            EMBEDDED: lambda: integers([[len(d.boxes)] for d in detections]),
            NAMED: lambda: integers([[len(d.boxes)] for d in detections]),
            # Width and height: an array has them the other way round.
            "picture_size": lambda: integers([image.shape[1::-1] for image in self.images]),
            "candidates_dropped": lambda: integers([[d.candidates_dropped] for d in detections]),
        }
        # Crops cost time and bandwidth: nothing is made that was not asked for.
        return {name: make() for name, make in outputs.items() if name in wanted}

    def _answered(self, image: Any, detection: Detection) -> NDArray[np.float32]:
        """The boxes of an image as the caller wants them; crops are cut by what was found."""
        if not self.parameters.clip:
            return detection.boxes
        height, width, _ = image.shape
        return np.clip(detection.boxes, np.float32(0), np.array([width, height] * 2, np.float32))

    def _check_crops(self, count: int, sides: set[int]) -> None:
        if count * sum(side * side * 3 for side in sides) > _MOST_CROP_BYTES:
            raise Refused(
                "answer_too_large",
                f"image_size is {self.parameters.image_size}, must be smaller for {count} faces, or max_faces lower: "
                f"their crops may have {_MOST_CROP_BYTES:,} bytes",
            )


@contextmanager
def _callers_fault(reason: str) -> Iterator[None]:
    """Turns what is wrong with a caller's input into Refused, for this reason or for the number of pixels."""
    try:
        yield
    except (InvalidInput, InvalidImage) as error:
        raise Refused("too_large" if isinstance(error, TooManyPixels) else reason, str(error)) from error


def _raw(batch: NDArray[np.uint8], max_pixels: int) -> list[Image]:
    if batch.size == 0:
        raise InvalidImage(f"image has shape {list(batch.shape)}, must hold at least one pixel")
    height, width = batch.shape[1:3]
    if len(batch) * height * width > max_pixels:
        count = f"{len(batch)} times " if len(batch) > 1 else ""
        raise TooManyPixels(f"image has {count}{width}x{height} pixels, must have at most {max_pixels:,} in all")
    return list(np.ascontiguousarray(batch))


def _opened(files: NDArray[np.object_], max_pixels: int, open_file: Callable[[bytes, int], Any]) -> list[Any]:
    """One after the other: what is over the limit is refused before memory is spent on it."""
    images: list[Any] = []
    left = max_pixels
    for data in files:
        try:
            images.append(open_file(_file(data), left))
        except TooManyPixels as error:
            if not images:
                raise
            raise TooManyPixels(
                f"encoded_image has more than {max_pixels} pixels in its {len(files)} pictures; "
                "send them as requests of their own"
            ) from error
        left -= images[-1].shape[0] * images[-1].shape[1]
    return images


def _file(data: bytes) -> bytes:
    """The picture's file, also out of its base64 text or data URI: JSON alone cannot carry bytes. Else data itself."""
    text = data.partition(b",")[2] if data.startswith(b"data:image/") else data
    # Other files end here: no copy is made of them.
    if not _BASE64.match(text):
        return data
    try:
        file = base64.b64decode(text.translate(None, b"\r\n"), validate=True)
        format_of(file)
    except (binascii.Error, InvalidImage):
        return data
    return file
