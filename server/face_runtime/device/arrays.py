"""The engine of a GPU: handles are torch tensors on it, averages are taken by `kernels`, or anywhere by `twins`.

Three things travel between host and device in a batch: tables that say what is wanted, cells and outputs that were
found. What is wanted of images of different sizes is one table, so it is one launch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from face_cascade.arrays import Cells, Float32, Patch
from face_cascade.networks import PNET_STRIDE
from face_cascade.tiles import cell_count
from face_runtime.device import twins
from face_runtime.device.images import DeviceImage


class TorchArrays:
    """See `face_cascade.arrays.Arrays`.

    Args:
        device: of all handles.
        operations: `kernels`, or `twins`, which does the same in plain torch and wherever torch runs; None chooses.
    """

    def __init__(self, device: torch.device, operations: ModuleType | None = None) -> None:
        self.device = device
        if operations is None:
            operations = _kernels() if device.type == "cuda" else twins
        self._operations = operations

    def image(self, pixels: "NDArray[np.uint8] | DeviceImage", turn: int = 0) -> DeviceImage:
        image = pixels if isinstance(pixels, DeviceImage) else DeviceImage.uploaded(pixels, self.device)
        # A handle of its own: its sums go when the flow ends, and the picture stays for its crops.
        return DeviceImage(torch.rot90(image.pixels, turn, (1, 2)) if turn else image.pixels)

    def tiles(self, patches: Sequence[Patch], count: int, height: int, width: int) -> Tensor:
        images, number = _numbered(patch.image for patch in patches)
        self._integrate(images)
        table = [
            (
                *(number[id(image)], level.height, level.width, piece.level_top, piece.level_left),
                *(piece.height, piece.width, tile, piece.tile_top, piece.tile_left),
            )
            for image, level, piece, tile in patches
        ]
        tiles = torch.zeros((count, 3, height, width), device=self.device)
        self._operations.draw_tiles(images, np.array(table, np.int64), tiles)
        return tiles

    def _integrate(self, images: Sequence[DeviceImage]) -> None:
        """Makes the integral images that are not there yet: of all images of a batch in one go."""
        new = [image for image in images if image.sums is None]
        if new:
            for image, sums in zip(new, self._operations.integral_images(new), strict=True):
                image.sums = sums

    def cells(self, outputs: Sequence[Tensor], patches: Sequence[Patch], thresholds: Sequence[float]) -> "_Found":
        # A patch's own cells in its tile, and where they lie in the level.
        table = np.array(
            [
                (
                    *(tile, cell_count(piece.height), cell_count(piece.width), piece.tile_top, piece.tile_left),
                    *(piece.level_top, piece.level_left),
                )
                for _, _, piece, tile in patches
            ],
            np.int64,
        )
        table[:, 3:] //= PNET_STRIDE
        found = self._operations.find_cells(table[:, :5], np.array(thresholds, np.float32), *outputs)
        return _Found(found, table[:, 5:])

    def gather(self, found: "Sequence[_Found]") -> list[Cells]:
        cells = []
        for rows, part in zip(self._operations.fetched([part.rows for part in found]), found, strict=True):
            patches = rows[:, 0].astype(np.intp)
            places = rows[:, 1:3] + part.starts[patches]
            values = rows[:, 3:].view(np.float32)
            cells.append(Cells(patches, places[:, 0], places[:, 1], values[:, 0], values[:, 1:]))
        return cells

    def crops(self, windows: Sequence[tuple[DeviceImage, NDArray[np.int32]]], side: int) -> Tensor:
        images = [image for image, _ in windows]
        numbers = np.repeat(np.arange(len(images)), [len(of_image) for _, of_image in windows])
        places = np.concatenate([np.empty((0, 4), np.int32), *(of_image for _, of_image in windows)])
        crops = torch.empty((len(places), 3, side, side), device=self.device)
        self._operations.cut_crops(images, np.column_stack([numbers, places]).astype(np.int64), crops)
        return crops

    def rows(self, outputs: Sequence[Tensor]) -> tuple[Float32, ...]:
        flat = [output.flatten(1) for output in outputs]
        together: Float32 = torch.cat(flat, 1).cpu().numpy()
        return tuple(np.split(together, np.cumsum([part.shape[1] for part in flat])[:-1], axis=1))


def _numbered(images: Iterable[DeviceImage]) -> tuple[list[DeviceImage], dict[int, int]]:
    """The different images, in order, and the number of each by its identity."""
    different = {id(image): image for image in images}
    return list(different.values()), {key: n for n, key in enumerate(different)}


def _kernels() -> ModuleType:
    # Where there is no GPU `triton` need not be installed.
    from face_runtime.device import kernels

    return kernels


@dataclass(frozen=True)
class _Found:
    """rows: as `kernels.find_cells` has them. starts: row and column in the level where each patch's cells begin."""

    rows: Tensor
    starts: NDArray[np.int64]
