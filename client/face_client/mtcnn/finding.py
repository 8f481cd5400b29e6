"""Pictures as ipazc's mtcnn takes them, found faces out: files that are no pictures have none."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from face_client.client import FaceClient
from face_client.drop_in import as_pixels, warn_if_capped
from face_client.errors import InvalidImage, InvalidInput
from face_client.faces import Faces
from face_client.images import MAX_PIXELS, decode_image, image_size
from face_client.inputs import ImageLike
from face_client.mtcnn.utils.images import FILES, file_bytes

# Whom a warning points at: find_faces, detect_faces, and then its caller.
_CALLER = 3


def find_faces(client: FaceClient, images: Iterable[Any], options: Mapping[str, Any]) -> Iterator[Faces]:
    """The faces of each picture; none, and a UserWarning, for a file that is no picture.

    Raises InvalidImage for what is neither a file nor an array, and what FaceClient raises for the rest.
    """
    prepared = [_image_like(image) for image in images]
    answers = client.detect_batch(prepared, on_error="return", **options)
    for number, (image, answer) in enumerate(zip(prepared, answers)):
        if isinstance(answer, Faces):
            warn_if_capped(answer, stacklevel=_CALLER + 1)
            yield answer
        elif isinstance(answer, InvalidInput) and _is_unreadable(image, answer):
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
        return image
    if hasattr(image, "__array__") or hasattr(image, "__array_interface__"):
        return as_pixels(image)
    raise InvalidImage(f"image is of type {type(image).__name__}; it must be a path, bytes or an array")


def _is_unreadable(image: ImageLike, error: InvalidInput) -> bool:
    """Whether a request failed because the file is no picture: then decoding it here fails too."""
    if not isinstance(image, FILES):
        return False
    if isinstance(error, InvalidImage):
        return True
    data = file_bytes(image)
    try:
        width, height = image_size(data)
        if width * height > MAX_PIXELS:
            return False
        decode_image(data)
    except InvalidImage:
        return True
    return False
