"""What the classes that stand in for other packages share: the connection, and pixels of any kind.

See `face_client.facenet_pytorch` and `face_client.mtcnn`.
"""

from __future__ import annotations

import os
import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client import FaceClient
from face_client.errors import InvalidInput
from face_client.faces import Faces
from face_pictures.decoding import convert_to_rgb
from face_pictures.formats import reading

FILES = (str, os.PathLike, bytes, bytearray, memoryview)
"""What is a path or the bytes of a file."""


class InvalidValue(InvalidInput, ValueError):
    """An argument that the package stood in for refuses with ValueError."""


class Connection:
    """A FaceClient that is made when it is first used, and made anew in every process.

    Detectors are handed to the workers of data loaders, pickled or by a fork; a gRPC channel survives neither.

    client: used as it is, instead of one for `url`. It cannot be pickled.
    """

    def __init__(self, url: str, client: FaceClient | None = None) -> None:
        self._url = url
        self._given = client
        self._made: FaceClient | None = None
        self._process = 0
        self._lock = threading.Lock()

    @property
    def client(self) -> FaceClient:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._made is None or self._process != os.getpid():
                self._made, self._process = FaceClient(self._url), os.getpid()
            return self._made

    def __reduce__(self) -> tuple[type[Connection], tuple[str, FaceClient | None]]:
        return Connection, (self._url, self._given)


def as_pixels(image: object) -> NDArray[np.uint8]:
    """A Pillow image, or anything that NumPy reads as an array of numbers, as uint8 pixels.

    A Pillow image becomes RGB [H, W, 3] as it lies in memory: unlike in a file, its EXIF orientation is not
    applied, because the caller counts pixels and cuts faces in this very object.
    Raises InvalidInput, InvalidImage for a Pillow image that cannot be read.
    """
    if isinstance(image, Image.Image):
        with reading("image"):
            image.load()
            return np.asarray(convert_to_rgb(image))
    if hasattr(image, "detach"):
        # A torch tensor, which NumPy reads on the CPU and outside of a graph only.
        image = image.detach().cpu()
    if not hasattr(image, "__array__"):
        raise InvalidInput(f"image is of type {type(image).__name__}; it must be a Pillow image or an array")
    return grey_levels(np.asarray(image), "image")


def grey_levels(array: NDArray[Any], field: str) -> NDArray[np.uint8]:
    """Numbers of any type as uint8, rounded to the nearest. Raises InvalidInput for values outside 0…255."""
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "uif":
        raise InvalidInput(f"{field} is an array of {array.dtype}; it must hold numbers from 0 to 255")
    # Half a level of slack is what rounding takes up. The comparison is false for NaN.
    if array.size and not (array.min() >= -0.5 and array.max() <= 255.5):
        raise InvalidInput(
            f"{field} holds values from {array.min():g} to {array.max():g}; they must be grey levels from 0 to 255"
        )
    return array.round().clip(0, 255).astype(np.uint8)


def warn_if_capped(faces: Faces, stacklevel: int) -> None:
    """A RuntimeWarning where the server's cap on candidates may have cost faces: the peers' answers have no
    place for it. stacklevel: as for `warnings.warn`, counted from here."""
    if faces.candidates_dropped:
        warnings.warn(
            f"the server dropped {faces.candidates_dropped} candidates at its limit; "
            "faces may be missing, a larger min_face_size leaves fewer",
            RuntimeWarning,
            stacklevel=stacklevel,
        )
