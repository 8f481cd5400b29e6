"""Faces cut out of pictures as facenet-pytorch cuts them: whole pixels, inside the image, then resized.

How a crop is resized depends on the kind of picture, as there: Pillow's bilinear filter for a Pillow image,
OpenCV's INTER_AREA for an array, whole-pixel averages for a tensor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

Picture = Union[Image.Image, NDArray[Any], torch.Tensor]
"""A Pillow image, or an array or tensor [H, W, 3], RGB."""

Window = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels; right and bottom are the first beyond."""


def extract_face(
    img: Picture,
    box: Sequence[float] | NDArray[Any],
    image_size: int = 160,
    margin: int = 0,
    save_path: str | os.PathLike[str] | None = None,
) -> torch.Tensor:
    """The face in `box` (x1, y1, x2, y2), float32 [3, image_size, image_size] of grey levels 0…255.

    margin: pixels of the result that lie around the box, half on each side.
    save_path: also write the crop there; its folder is made.
    Of a box beside the image the nearest pixel is taken. Raises OSError where the file cannot be written.
    """
    face = crop_resize(img, _window(img, box, image_size, margin), image_size)
    if save_path is not None:
        Path(save_path).parent.mkdir(parents=True, exist_ok=True)
        save_img(face, save_path)
    return _to_tensor(face)


def crop_resize(img: Picture, box: Window, image_size: int) -> Picture:
    """The pixels of the window, [image_size, image_size, 3], of the same kind as the picture."""
    left, top, right, bottom = box
    size = (image_size, image_size)
    if isinstance(img, np.ndarray):
        cv2 = _opencv()
        return cv2.resize(img[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    if isinstance(img, torch.Tensor):
        planes = img[top:bottom, left:right].permute(2, 0, 1)[None].float()
        # Averages are cut to whole levels, not rounded.
        return interpolate(planes, size=size, mode="area")[0].permute(1, 2, 0).to(torch.uint8)
    return img.crop(box).resize(size, Image.Resampling.BILINEAR)


def save_img(img: Picture, path: str | os.PathLike[str]) -> None:
    """Write the picture in the format of the path's suffix. Raises OSError, ValueError for an unknown suffix."""
    if isinstance(img, torch.Tensor):
        img = Image.fromarray(img.cpu().numpy())
    elif isinstance(img, np.ndarray):
        # OpenCV here too: a JPEG has its quality, so the file is the one that facenet-pytorch writes.
        cv2 = _opencv()
        if not cv2.imwrite(os.fspath(path), cv2.cvtColor(img, cv2.COLOR_RGB2BGR)):
            raise OSError(f"cannot write {os.fspath(path)}")
        return
    img.save(path)


def get_size(img: Picture) -> tuple[int, int]:
    """(width, height)."""
    if isinstance(img, (np.ndarray, torch.Tensor)):
        return img.shape[1], img.shape[0]
    return img.size


def _window(img: Picture, box: Any, image_size: int, margin: int) -> Window:
    """The pixels of the box and its margin inside the image, at least one.

    In the arithmetic of whatever numbers the box holds, as facenet-pytorch does it: 32-bit floats and Python's
    may fall on two sides of a pixel's edge.
    """
    width, height = get_size(img)
    grow_x = margin * (box[2] - box[0]) / (image_size - margin) / 2
    grow_y = margin * (box[3] - box[1]) / (image_size - margin) / 2
    left = min(int(max(box[0] - grow_x, 0)), width - 1)
    top = min(int(max(box[1] - grow_y, 0)), height - 1)
    right = max(int(min(box[2] + grow_x, width)), left + 1)
    bottom = max(int(min(box[3] + grow_y, height)), top + 1)
    return left, top, right, bottom


def _to_tensor(face: Picture) -> torch.Tensor:
    """[3, S, S] float32, levels as they are; one plane for a picture without colours."""
    if isinstance(face, torch.Tensor):
        face = face.cpu().numpy()
    levels = np.array(face, dtype=np.float32)
    return torch.from_numpy(levels[np.newaxis] if levels.ndim == 2 else levels.transpose(2, 0, 1).copy())


def _opencv() -> Any:
    """OpenCV, imported here because only arrays need it."""
    try:
        import cv2
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'faces are cut out of arrays with OpenCV: pip install "triton-faces-client[facenet-pytorch]"', name="cv2"
        ) from None
    return cv2
