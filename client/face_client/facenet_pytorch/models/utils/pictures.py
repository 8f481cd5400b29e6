"""Pictures as facenet-pytorch takes them, one or many, and the paths that their faces are saved at."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from face_client.drop_in import as_pixels
from face_client.errors import InvalidInput
from face_client.images import has_channels_last, in_three
from face_client.options import check_at_least, plain
from face_pictures.decoding import convert_to_rgb
from face_pictures.formats import reading

Picture = Union[Image.Image, NDArray[Any], torch.Tensor]
"""A Pillow image, or an array or tensor [H, W, 3], RGB."""

Pictures = Union[Picture, Sequence[Picture], NDArray[Any], torch.Tensor]
"""A picture, a list or tuple of pictures, or an array or tensor [N, H, W, 3]."""

PathLike = Union[str, "os.PathLike[str]"]

SavePath = Union[PathLike, Iterable[Union[PathLike, None]], None]
"""A path; for many pictures one for each, or None for one whose faces shall not be saved."""


def is_batch(img: Pictures) -> bool:
    """Whether it holds many pictures; the answer then has one entry for each, even for one."""
    if isinstance(img, (np.ndarray, torch.Tensor)):
        return img.ndim == 4
    return isinstance(img, (list, tuple))


def listed(img: Pictures) -> Sequence[Any]:
    """The pictures, one or many."""
    return img if is_batch(img) else [img]  # type: ignore[return-value]


def get_size(img: Picture) -> tuple[int, int]:
    """(width, height)."""
    if isinstance(img, (np.ndarray, torch.Tensor)):
        return img.shape[1], img.shape[0]
    return img.size


def in_levels(picture: Picture) -> Picture:
    """The picture as grey levels, of the same kind: arrays and tensors of other types are rounded to uint8.

    Raises InvalidInput for values outside 0…255, and for what is no picture.
    """
    if isinstance(picture, Image.Image):
        return picture
    if not isinstance(picture, (np.ndarray, torch.Tensor)):
        raise InvalidInput(f"img is of type {type(picture).__name__}; it must be a Pillow image, an array or a tensor")
    pixels = as_pixels(picture)
    if not has_channels_last(pixels) or not pixels.size:
        raise InvalidInput(f"img has shape {list(pixels.shape)}; it must be [H, W, 3] RGB, with at least one pixel")
    return pixels if isinstance(picture, np.ndarray) else torch.from_numpy(pixels)


def in_rgb(picture: Picture) -> Picture:
    """`in_levels` with three colours. Raises InvalidImage where a Pillow image's pixels cannot be read."""
    if isinstance(picture, Image.Image):
        with reading("image"):
            picture.load()
            return convert_to_rgb(picture)
    levels = in_levels(picture)
    return in_three(levels) if isinstance(levels, np.ndarray) else torch.from_numpy(in_three(as_pixels(levels)))


def check_sizes(image_size: object, margin: object) -> None:
    """Raises InvalidInput for sizes of a face that cannot be."""
    check_at_least("image_size", plain(image_size), 1, whole=True)
    number = plain(margin)
    if not isinstance(number, Real) or not -math.inf < number < image_size:  # type: ignore[operator]
        raise InvalidInput(f"margin is {margin!r}; it must be a number less than image_size, which is {image_size!r}")


def paths_for(save_path: SavePath, count: int) -> list[Path | None]:
    """A path, or None, for each of `count` pictures. Raises InvalidInput for another number of paths."""
    if save_path is None:
        return [None] * count
    if isinstance(save_path, (str, os.PathLike)):
        paths: list[PathLike | None] = [save_path]
    elif isinstance(save_path, Iterable) and not isinstance(save_path, bytes):
        paths = list(save_path)
    else:
        raise InvalidInput(f"save_path is of type {type(save_path).__name__}; it must be a path, paths or None")
    if len(paths) != count:
        raise InvalidInput(f"save_path has {len(paths)} paths for {count} pictures; it must have one for each")
    for path in paths:
        if path is not None and not isinstance(path, (str, os.PathLike)):
            raise InvalidInput(f"save_path holds a {type(path).__name__}; it must hold paths, or None")
    return [None if path is None else Path(path) for path in paths]


def numbered(path: Path, number: int) -> Path:
    """The path of a picture's face: the first is saved as it is, the others as name_2.png, name_3.png, …"""
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
