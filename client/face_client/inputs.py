"""Whatever the caller calls an image → the input tensor of the model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import InvalidInput
from face_client.images import decode_image, downscale, image_size, to_rgb

ImageLike = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, Image.Image, NDArray[np.uint8]]
"""A path, the bytes of a file, a Pillow image, or an array: uint8, [H, W, 3] RGB or [H, W] gray."""


@dataclass(frozen=True)
class PreparedImage:
    """tensors: the model's inputs for one image. size: (width, height) of the caller's image, upright.
    sent_size: of the picture in the tensors, which `max_side` may have made smaller."""

    tensors: Mapping[str, NDArray[Any]]
    size: tuple[int, int]
    sent_size: tuple[int, int]


def prepare(image: ImageLike, max_side: int | None) -> PreparedImage:
    """The tensors for an image.

    Files go as they are: they are smaller than their pixels and the server reads them with the same code.
    Raises InvalidInput, InvalidImage among it, and OSError for a path that cannot be read.
    """
    if max_side is not None and max_side < 1:
        raise InvalidInput(f"max_side is {max_side}; it must be at least 1")
    if isinstance(image, (str, os.PathLike)):
        return _prepare_file(Path(image).read_bytes(), max_side)
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _prepare_file(bytes(image), max_side)
    if isinstance(image, Image.Image):
        return _prepare_array(to_rgb(image), max_side)
    if isinstance(image, np.ndarray):
        return _prepare_array(_checked_rgb(image), max_side)
    raise InvalidInput(
        f"image is of type {type(image).__name__}; it must be a path, bytes, a Pillow image or a NumPy array"
    )


def _prepare_file(data: bytes, max_side: int | None) -> PreparedImage:
    size = image_size(data)
    if max_side is not None and max(size) > max_side:
        return _prepare_array(decode_image(data), max_side)
    return PreparedImage({"encoded_image": np.array([[data]], dtype=np.object_)}, size, size)


def _prepare_array(image: NDArray[np.uint8], max_side: int | None) -> PreparedImage:
    sent = image if max_side is None else downscale(image, max_side)
    return PreparedImage({"image": np.ascontiguousarray(sent)[np.newaxis]}, _size(image), _size(sent))


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    return image.shape[1], image.shape[0]


def _checked_rgb(array: NDArray[Any]) -> NDArray[np.uint8]:
    """The array as RGB [H, W, 3]; gray is repeated in the three channels."""
    is_rgb = array.ndim == 3 and array.shape[2] == 3
    if array.dtype != np.uint8 or not (is_rgb or array.ndim == 2) or 0 in array.shape:
        raise InvalidInput(
            f"image is {array.dtype} with shape {list(array.shape)}; "
            "it must be uint8, [H, W, 3] RGB or [H, W] gray, with at least one pixel"
        )
    return array if is_rgb else np.repeat(array[:, :, np.newaxis], 3, axis=2)
