"""What `kernels` does, in plain torch: on any device, one step after the other. The reference of the kernels' tests."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from face_cascade.area import area_windows
from face_runtime.device.images import DeviceImage


def integral_images(images: Sequence[DeviceImage]) -> list[Tensor]:
    """See `kernels.integral_images`."""
    return [
        torch.nn.functional.pad(image.pixels.to(torch.int32), (1, 0, 1, 0))
        .cumsum(1, dtype=torch.int32)
        .cumsum(2, dtype=torch.int32)
        for image in images
    ]


def draw_tiles(images: Sequence[DeviceImage], table: NDArray[np.int64], tiles: Tensor) -> None:
    """See `kernels.draw_tiles`."""
    for number, level_height, level_width, top, left, height, width, tile, tile_top, tile_left in table.tolist():
        image = images[number]
        y0, y1 = (ends[top : top + height] for ends in area_windows(image.height, level_height))
        x0, x1 = (ends[left : left + width] for ends in area_windows(image.width, level_width))
        target = tiles[tile, :, tile_top : tile_top + height, tile_left : tile_left + width]
        target.copy_(_averages(image.integral, y0, y1, x0, x1))


def find_cells(
    table: NDArray[np.int64], thresholds: NDArray[np.float32], regression: Tensor, probability: Tensor
) -> Tensor:
    """See `kernels.find_cells`; here all rows are theirs."""
    found = []
    for piece, ((tile, rows, columns, top, left), threshold) in enumerate(zip(table.tolist(), thresholds, strict=True)):
        scores = probability[tile, top : top + rows, left : left + columns]
        chosen = torch.nonzero(scores >= float(threshold))
        moves = regression[tile, :, top : top + rows, left : left + columns]
        row, column = chosen.unbind(1)
        values = torch.cat([scores[row, column][None], moves[:, row, column]]).T.contiguous()
        places = torch.cat([torch.full_like(chosen[:, :1], piece), chosen], 1).int()
        found.append(torch.cat([places, values.view(torch.int32)], 1))
    return torch.cat(found)


def fetched(found: Sequence[Tensor]) -> list[NDArray[np.int32]]:
    """See `kernels.fetched`."""
    return [part.cpu().numpy() for part in found]


def cut_crops(images: Sequence[DeviceImage], table: NDArray[np.int64], crops: Tensor) -> None:
    """See `kernels.cut_crops`."""
    side = crops.shape[-1]
    for crop, (number, left, top, right, bottom) in zip(crops, table.tolist(), strict=True):
        y0, y1 = (top + ends for ends in area_windows(bottom - top, side))
        x0, x1 = (left + ends for ends in area_windows(right - left, side))
        crop.copy_(_averages(images[number].integral, y0, y1, x0, x1))


def _averages(
    sums: Tensor, y0: NDArray[np.int32], y1: NDArray[np.int32], x0: NDArray[np.int32], x1: NDArray[np.int32]
) -> Tensor:
    """Averages over rows y0…y1 and columns x0…x1 of an image: FP32 [3,len(y0),len(x0)]."""
    top, bottom, left, right = (torch.from_numpy(ends).to(sums.device, torch.int64) for ends in (y0, y1, x0, x1))
    lower, upper = sums[:, bottom], sums[:, top]
    # Whole numbers below 2³², whatever has wrapped around.
    total = (lower[:, :, right] - upper[:, :, right] - lower[:, :, left] + upper[:, :, left]).long() & 0xFFFFFFFF
    return total.float() / (bottom - top).float()[:, None] / (right - left).float()
