"""Pictures as ipazc's mtcnn hands them around: arrays [H, W, 3] of grey levels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from face_client.drop_in import FILES, local_path
from face_pictures.decoding import decode_image


def load_image(image: Any, dtype: DTypeLike = np.float32, device: str = "CPU:0") -> NDArray[Any]:  # noqa: ARG001
    """The picture in a file (a path, file://… or its bytes), RGB [H, W, 3], upright, 0…255; an array as it is.

    dtype: of the array. device: accepted, not used.
    Raises InvalidImage where it cannot be decoded, OSError for a path that cannot be read.
    """
    if not isinstance(image, FILES):
        return np.asarray(image)
    file = local_path(image)
    data = Path(file).read_bytes() if isinstance(file, (str, os.PathLike)) else bytes(file)
    return decode_image(data).astype(dtype)


def load_images_batch(
    images: Iterable[Any], dtype: DTypeLike = np.float32, device: str = "CPU:0"
) -> list[NDArray[Any]]:
    """Every picture by `load_image`."""
    return [load_image(image, dtype, device) for image in images]
