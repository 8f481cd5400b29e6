"""Pictures as facenet-pytorch takes them, one or many, and the paths that their faces are saved at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from face_client.errors import InvalidInput
from face_client.facenet_pytorch.models.utils.detect_face import Picture
from face_pictures.decoding import convert_to_rgb
from face_pictures.formats import reading

Pictures = Union[Picture, Sequence[Picture], NDArray[Any], torch.Tensor]
"""A picture, a list or tuple of pictures, or an array or tensor [N, H, W, 3]."""

SavePath = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]], None]
"""A path; for many pictures one for each."""


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


def paths_for(save_path: SavePath, count: int) -> list[Path | None]:
    """A path, or None, for each of `count` pictures. Raises InvalidInput for another number of paths."""
    if save_path is None:
        return [None] * count
    paths = [save_path] if isinstance(save_path, (str, os.PathLike)) else save_path
    if len(paths) != count:
        raise InvalidInput(f"save_path has {len(paths)} paths for {count} pictures; it must have one for each")
    return [Path(path) for path in paths]


def numbered(path: Path, number: int) -> Path:
    """The path of a picture's face: the first is saved as it is, the others as name_2.png, name_3.png, …"""
    return path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
