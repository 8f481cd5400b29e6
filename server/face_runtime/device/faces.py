"""Crops of faces on the device, as `face_cascade.crops` has Pillow make them on the host.

Equal to the byte to those of Pillow before 13. From then on Pillow takes columns first where a picture loses far more
of its height than of its width; a grey level can then differ by one.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from face_cascade import Detection, DetectionParameters
from face_cascade.crops import detection_crops, face_windows
from face_runtime.device.images import DeviceImage
from face_runtime.engine import stacked_crops

# Pillow's fixed point for pixels of 8 bits: what 32 leave, less 2 so that sums do not overflow.
_FRACTION_BITS = 22

# 64 MiB as INT32: the lines of a large face are taken in parts.
_MOST_VALUES = 16 * 1024 * 1024


class DeviceCrops:
    """See `engine.stacked_crops`.

    stay: on the device, as torch's tensors, where images lie there; else the crops are copied to the host.
    """

    def __init__(self, device: torch.device, stay: bool) -> None:
        self._device = device
        self._stay = stay

    def __call__(
        self, images: Sequence[Any], detections: Sequence[Detection], parameters: DetectionParameters, side: int
    ) -> Any:
        most = max(len(found.boxes) for found in detections)
        if most == 0 or not any(isinstance(image, DeviceImage) for image in images):
            # Raw pixels lie on the host, and of no bytes Triton makes no tensor on a GPU.
            return stacked_crops(images, detections, parameters, side)
        crops = torch.zeros((len(images), most, side, side, 3), dtype=torch.uint8, device=self._device)
        for of_image, image, found in zip(crops, images, detections, strict=True):
            _cut(image, found, parameters, of_image[: len(found.boxes)])
        if not self._stay:
            return crops.cpu().numpy()
        if self._device.type == "cuda":
            # FaceNet's process reads the memory itself: it must be written by then.
            torch.cuda.current_stream(self._device).synchronize()
        return crops


def _cut(image: Any, found: Detection, parameters: DetectionParameters, crops: Tensor) -> None:
    """Fills `crops`, UINT8 [N,S,S,3], with the faces that were found."""
    side = crops.shape[1]
    if parameters.align or not isinstance(image, DeviceImage):
        # OpenCV's warps have no equal in torch; only windows around the faces travel to the host.
        crops.copy_(torch.from_numpy(detection_crops(image, found, parameters, side)))
        return
    turns = (found.angles // 90).tolist()
    size, margin = parameters.image_size, parameters.margin
    windows = face_windows(found.boxes, turns, image.height, image.width, size, margin)
    for crop, (left, top, right, bottom), turn in zip(crops, windows, turns, strict=True):
        face = torch.rot90(image.pixels[:, top:bottom, left:right], turn, (1, 2))
        crop.copy_(resized(face, side).permute(1, 2, 0))


def resized(pixels: Tensor, side: int) -> Tensor:
    """UINT8 [3,h,w] → [3,side,side] with Pillow's bilinear filter: along rows, rounded, then along columns."""
    for _ in range(2):
        places, shares = _taps_on(pixels.device, pixels.shape[2], side)
        some = max(1, _MOST_VALUES // (3 * places.numel()))
        pixels = torch.cat([_weighed(part[:, :, places], shares) for part in pixels.split(some, 1)], 1).mT
    return pixels


def _weighed(taken: Tensor, shares: Tensor) -> Tensor:
    """UINT8 [3,h,side,K] → [3,h,side]."""
    sums = taken.int().mul_(shares).sum(-1, dtype=torch.int32)
    return sums.add_(1 << (_FRACTION_BITS - 1)).bitwise_right_shift_(_FRACTION_BITS).to(torch.uint8)


@lru_cache(maxsize=1024)
def _taps_on(device: torch.device, length: int, side: int) -> tuple[Tensor, Tensor]:
    places, shares = taps(length, side)
    return torch.from_numpy(places).to(device), torch.from_numpy(shares).to(device)


def taps(length: int, side: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Which pixels of a line of `length` each of `side` is made of, and their shares in 2⁻²²: [side,K] each.

    The triangle of bilinear interpolation, as wide as a pixel of the smaller line, cut off at the ends; in Pillow's
    order of operations (`precompute_coeffs` of its Resample.c), on which the last bit depends.
    """
    scale = length / side
    reach = max(scale, 1.0)
    centres = (np.arange(side) + 0.5) * scale
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    end = np.minimum((centres + reach + 0.5).astype(np.int64), length)
    places = first[:, np.newaxis] + np.arange((end - first).max())
    heights = np.maximum(1 - np.abs((places - centres[:, np.newaxis] + 0.5) * (1 / reach)), 0)
    heights[places >= end[:, np.newaxis]] = 0
    # One after the other: `sum` would add in pairs.
    shares = heights / heights.cumsum(axis=1)[:, -1:]
    fixed = (shares * (1 << _FRACTION_BITS) + 0.5).astype(np.int32)
    return np.minimum(places, length - 1), fixed
