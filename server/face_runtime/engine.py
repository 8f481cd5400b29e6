"""What an instance of `mtcnn` drives the cascade with."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from face_cascade import Call, Detection, DetectionParameters, Flow, Limits, TooManyCandidates, detect
from face_cascade.arrays import Arrays
from face_cascade.calls import Outputs
from face_cascade.crops import detection_crops
from face_cascade.numpy_arrays import NUMPY
from face_pictures.decoding import decode_image
from face_runtime.pixels import rgb_array
from face_runtime.stacking import rows

Map: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""`map`, or something that maps in several threads."""


class Decoder(Protocol):
    """From encoded pictures to images for the cascade, in two steps: the second takes all pictures of a batch.

    map: over what opens files, in several threads: pictures are never read one after the other.
    """

    map: Map

    def open(self, data: bytes, max_pixels: int) -> Any:
        """An image, or what `finish` makes one of; its `shape` is that of the upright picture in any case.

        Raises InvalidImage as `face_pictures.decoding.decode_image` does.
        """

    def finish(self, opened: Sequence[Any]) -> list[Any]:
        """The images, or what is wrong with them: an InvalidImage in the place of each that cannot be had."""


class InThreads:
    """Decodes each picture as it is opened."""

    def __init__(self, map_files: Map) -> None:
        self.map = map_files

    def open(self, data: bytes, max_pixels: int) -> Any:
        return decode_image(data, max_pixels, rgb_array)

    def finish(self, opened: Sequence[Any]) -> list[Any]:
        return list(opened)


def stacked_crops(
    images: Sequence[Any], detections: Sequence[Detection], parameters: DetectionParameters, side: int
) -> NDArray[np.uint8]:
    """The crops of the faces of each image: UINT8 [B, max N, side, side, 3], zeros behind the real ones."""
    pairs = zip(images, detections, strict=True)
    return rows([detection_crops(*pair, parameters, side) for pair in pairs], (side, side, 3), np.uint8)


@dataclass(frozen=True)
class Engine:
    """How to drive the cascade.

    run: answers its calls. map: `map`, or one that maps in several threads. limits: of its batches. arrays: who holds
    pixels and maps, in whose arrays `run` is asked and answers. decoder: makes images for them. crops: of the faces
    found, as `stacked_crops`, wherever the images lie. guard: work goes on inside of it; turns what a device says when
    its memory is full into MemoryError.
    """

    run: Callable[[Call], Outputs]
    map: Map
    limits: Limits
    decoder: Decoder
    arrays: Arrays = NUMPY
    crops: Callable[[Sequence[Any], Sequence[Detection], DetectionParameters, int], Any] = stacked_crops
    guard: Callable[[], AbstractContextManager[None]] = nullcontext

    def detect(
        self, images: Sequence[Any], parameters: Sequence[DetectionParameters], most_pixels: int = sys.maxsize
    ) -> Flow[list[Detection | TooManyCandidates]]:
        """`face_cascade.detect` with these limits and arrays, for `run` and `map` to drive."""
        return detect(images, parameters, self.limits, self.arrays, most_pixels)
