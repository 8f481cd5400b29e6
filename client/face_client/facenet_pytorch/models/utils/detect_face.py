"""Faces cut out of pictures as facenet-pytorch cuts them: whole pixels, inside the image, then resized.

All is computed in NumPy, Pillow and OpenCV: torch's threads (OpenMP) hang in a process that was forked after
they had been used. How a crop is resized depends on the kind of picture, as there: Pillow's bilinear filter for a
Pillow image, OpenCV's INTER_AREA for an array, whole-pixel averages for a tensor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from face_client.drop_in import as_pixels, not_here
from face_client.extras import how_to_install
from face_client.facenet_pytorch.models.utils.finding import detect_face as detect_face
from face_client.facenet_pytorch.models.utils.pictures import Picture, check_sizes, in_levels
from face_client.facenet_pytorch.models.utils.pictures import get_size as get_size

Window = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels; right and bottom are the first beyond."""

_INSIDE = {
    "batched_nms_numpy",
    "bbreg",
    "fixed_batch_process",
    "generateBoundingBox",
    "nms_numpy",
    "pad",
    "rerec",
}


__getattr__ = not_here(
    __name__, _INSIDE, "is a step inside the cascade, which runs in the server: detect_face gives its answer"
)


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
    Of a box beside the image the nearest pixel is taken. Arrays and tensors of other types than uint8 are rounded.
    Raises InvalidInput for sizes that cannot be, OSError where the file cannot be written.
    """
    return torch.from_numpy(face_levels(img, box, image_size, margin, save_path))


def face_levels(
    img: Picture,
    box: Sequence[float] | NDArray[Any],
    image_size: int,
    margin: float,
    save_path: str | os.PathLike[str] | None,
) -> NDArray[np.float32]:
    """`extract_face` as an array."""
    check_sizes(image_size, margin)
    img = in_levels(img)
    face = crop_resize(img, _window(img, box, image_size, margin), image_size)
    if save_path is not None:
        Path(save_path).parent.mkdir(parents=True, exist_ok=True)
        save_img(face, save_path)
    return _planes(face)


def crop_resize(img: Picture, box: Window, image_size: int) -> Picture:
    """The pixels of the window, [image_size, image_size, 3], of the same kind as the picture."""
    left, top, right, bottom = box
    size = (image_size, image_size)
    if isinstance(img, np.ndarray):
        cv2 = _opencv()
        return cv2.resize(img[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    if isinstance(img, torch.Tensor):
        return torch.from_numpy(_averages(as_pixels(img)[top:bottom, left:right], image_size))
    return img.crop(box).resize(size, Image.Resampling.BILINEAR)


def _averages(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Plain averages over windows of whole pixels, [side, side, C]; cut to whole levels, not rounded."""
    height, width, channels = pixels.shape
    top, bottom = _windows(height, side)
    left, right = _windows(width, side)
    # Sums of all pixels above and to the left: that of a window is four look-ups.
    sums = np.zeros((height + 1, width + 1, channels), np.int64)
    sums[1:, 1:] = pixels.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    rows = sums[bottom] - sums[top]
    counts = (bottom - top)[:, np.newaxis] * (right - left)
    return ((rows[:, right] - rows[:, left]) // counts[:, :, np.newaxis]).astype(np.uint8)


def _windows(length: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each of `count` windows over `length` pixels begins and ends."""
    numbers = np.arange(count, dtype=np.int64)
    return numbers * length // count, -(-(numbers + 1) * length // count)


def imresample(img: torch.Tensor, sz: Sequence[int]) -> torch.Tensor:
    """Planes [N, C, H, W] in another size (height, width), by averages over whole pixels; computed by torch."""
    return interpolate(img, size=tuple(sz), mode="area")


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


def _window(img: Picture, box: Any, image_size: int, margin: float) -> Window:
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


def _planes(face: Picture) -> NDArray[np.float32]:
    """[C, S, S], levels as they are; one plane for a picture without colours."""
    levels = np.array(face.numpy() if isinstance(face, torch.Tensor) else face, dtype=np.float32)
    return levels[np.newaxis] if levels.ndim == 2 else np.ascontiguousarray(levels.transpose(2, 0, 1))


def _opencv() -> Any:
    """OpenCV, imported here because only arrays need it."""
    try:
        import cv2
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"faces are cut out of arrays with OpenCV: {how_to_install('triton-faces-client', 'facenet-pytorch')}",
            name="cv2",
        ) from None
    return cv2
