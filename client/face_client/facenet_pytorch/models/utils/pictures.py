"""One picture or many, in the forms that facenet-pytorch takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from face_client._decoding import reading
from face_client._pixel_modes import convert_to_rgb
from face_client.facenet_pytorch.models.utils.detect_face import Picture

Pictures = Union[Picture, Sequence[Picture], NDArray[Any], torch.Tensor]
"""A picture, a list or tuple of pictures, or an array or tensor [N, H, W, 3]."""


def is_batch(img: Pictures) -> bool:
    """Whether it holds many pictures; the answer then has one entry for each, even for one."""
    if isinstance(img, (np.ndarray, torch.Tensor)):
        return img.ndim == 4
    return isinstance(img, (list, tuple))


def listed(img: Pictures) -> Sequence[Any]:
    """The pictures, one or many."""
    return img if is_batch(img) else [img]  # type: ignore[return-value]


def in_rgb(picture: Picture) -> Picture:
    """The picture with three colours, of the same kind. Raises InvalidImage where its pixels cannot be read."""
    if isinstance(picture, Image.Image) and picture.mode != "RGB":
        with reading("image"):
            picture.load()
            return convert_to_rgb(picture)
    if isinstance(picture, np.ndarray) and picture.ndim == 2:
        return np.stack([picture] * 3, axis=2)
    if isinstance(picture, torch.Tensor) and picture.ndim == 2:
        return torch.stack([picture] * 3, dim=2)
    return picture
