"""What the classes that stand in for other packages share: the connection, and pixels of any kind.

See `face_client.facenet_pytorch` and `face_client.mtcnn`.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Collection
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client import FaceClient
from face_client.errors import FaceError, InvalidInput
from face_client.faces import Faces
from face_client.forks import renew_in_children
from face_client.images import as_array, is_array
from face_client.similarity import RANDOM_WEIGHTS
from face_pictures.decoding import convert_to_rgb
from face_pictures.formats import reading

FILES = (str, os.PathLike, bytes, bytearray, memoryview)
"""What is a path or the bytes of a file."""


def local_path(file: Any) -> Any:
    """A file:// URL as its path, as TensorFlow reads it: the letters behind file://. Everything else as it is."""
    is_url = isinstance(file, str) and file.startswith(_FILE_URL)
    return file[len(_FILE_URL) :] if is_url else file


_FILE_URL = "file://"


class InvalidValue(InvalidInput, ValueError):
    """An argument that the package stood in for refuses with ValueError."""


class NotHere(FaceError, NotImplementedError):
    """Something that needs the networks, or a step inside the cascade, in this process: they are in the server."""


def not_here(module: str, names: Collection[str], why: str) -> Callable[[str], object]:
    """A module's `__getattr__` that raises NotHere, with `why`, for these names of the module that is stood in for."""

    def get(name: str) -> object:
        if name in names:
            raise NotHere(f"{name} {why}")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return get


class Connection:
    """A FaceClient that is made when it is first used. In a forked or spawned process it connects anew.

    client: used as it is, instead of one for `url`.
    """

    def __init__(self, url: str | None, client: FaceClient | None = None) -> None:
        self._url = url
        self._given = client
        self._made: FaceClient | None = None
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: a thread that is not there may have held the lock."""
        self._lock = threading.Lock()

    @property
    def client(self) -> FaceClient:
        if self._given is not None:
            return self._given
        with self._lock:
            if self._made is None:
                self._made = FaceClient(self._url)
            return self._made

    def __reduce__(self) -> tuple[type[Connection], tuple[str | None, FaceClient | None]]:
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
    if not hasattr(image, "__array__") and not hasattr(image, "__array_interface__"):
        raise InvalidInput(f"image is of type {type(image).__name__}; it must be a Pillow image or an array")
    return grey_levels(as_array(image), "image")


def warn_of_fractions(image: object, stacklevel: int) -> None:
    """A UserWarning for a picture of floats from 0 to 1, as ToTensor, scikit-image and Matplotlib give them: the
    packages stood in for find nothing in it, without a word. stacklevel: as for `warnings.warn`, counted from here."""
    if not is_array(image):
        return
    array = as_array(image)
    if array.dtype.kind == "f" and array.size and array.min() >= 0 and 0 < array.max() <= 1:
        warnings.warn(
            "the picture holds floats from 0 to 1, in which no face will be found; "
            "grey levels go from 0 to 255, so multiply it by 255",
            UserWarning,
            stacklevel=stacklevel,
        )


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


def warn_if_random(client: FaceClient, stacklevel: int) -> None:
    """A RuntimeWarning where the server's FaceNet was never trained: the peers never load such weights by themselves.
    stacklevel: as for `warnings.warn`, counted from here."""
    if client.weights().random:
        warnings.warn(RANDOM_WEIGHTS, RuntimeWarning, stacklevel=stacklevel)


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
