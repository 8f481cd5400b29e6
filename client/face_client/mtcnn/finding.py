"""What ipazc's mtcnn takes, in FaceClient's words: parameters, and pictures, also files that are none."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from face_client import FaceClient
from face_client.drop_in import FILES, InvalidValue, as_pixels, local_path, warn_if_capped, warn_of_fractions
from face_client.errors import InvalidImage, TooManyPixels
from face_client.faces import Faces
from face_client.images import ImageLike

# ipazc's name → ours, and ipazc's default where the server's is another.
_NAMES = {
    "min_face_size": "min_face_size",
    "scale_factor": "factor",
    "threshold_pnet": "threshold_pnet",
    "threshold_rnet": "threshold_rnet",
    "threshold_onet": "threshold_onet",
}
_DEFAULTS = {"threshold_onet": 0.8}

# Fixed in the server's cascade, at ipazc's defaults.
_FIXED = {"nms_pnet1": 0.5, "nms_pnet2": 0.7, "nms_rnet": 0.7, "nms_onet": 0.7}

# There it is a parameter that nothing reads.
_IGNORED = {"min_size"}


def detect_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options for FaceClient.detect. Raises TypeError for an unknown name, InvalidValue for another NMS."""
    unknown = given.keys() - _NAMES.keys() - _FIXED.keys() - _IGNORED
    if unknown:
        known = ", ".join([*_NAMES, *_FIXED, *sorted(_IGNORED)])
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}; the stages' parameters are {known}")
    for name, value in _FIXED.items():
        if given.get(name, value) != value:
            raise InvalidValue(f"{name} is {given[name]}; the server's cascade has {value}")
    return {_NAMES[name]: value for name, value in {**_DEFAULTS, **given}.items() if name in _NAMES}


# Whom a warning points at: find_faces, detect_faces, and then its caller.
_CALLER = 3


def find_faces(client: FaceClient, images: Iterable[Any], options: Mapping[str, Any]) -> Iterator[Faces]:
    """The faces of each picture; none, and a UserWarning, for a file that is no picture.

    Raises InvalidImage for what is neither a file nor an array, and what FaceClient raises for the rest.
    """
    prepared = []
    for image in images:
        warn_of_fractions(image, stacklevel=_CALLER + 1)
        prepared.append(_image_like(image))
    for number, answer in enumerate(client.detect_each(prepared, **options)):
        if isinstance(answer, Faces):
            warn_if_capped(answer, stacklevel=_CALLER + 1)
            yield answer
        elif isinstance(answer, InvalidImage) and not isinstance(answer, TooManyPixels):
            warnings.warn(f"picture {number} has no faces because it cannot be read: {answer}", stacklevel=_CALLER)
            yield _NO_FACES
        else:
            raise answer


# Of a picture whose size is not known.
_NO_FACES = Faces(
    boxes=np.empty((0, 4), np.float32),
    probabilities=np.empty(0, np.float32),
    landmarks=np.empty((0, 5, 2), np.float32),
    width=0,
    height=0,
)


def _image_like(image: Any) -> ImageLike:
    """A path or the bytes of a file as they are; arrays and tensors of any number type as uint8 pixels."""
    if isinstance(image, FILES):
        return local_path(image)
    if hasattr(image, "__array__") or hasattr(image, "__array_interface__"):
        return as_pixels(image)
    raise InvalidImage(f"image is of type {type(image).__name__}; it must be a path, bytes or an array")
