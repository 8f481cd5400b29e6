"""The engine of a CPU: handles are NumPy arrays, averages are taken by numba.

An image is its integral image, INT32 [H+1,W+1,3] (see `area`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_cascade.area import Int32, area_crops, area_resize, area_windows, integral_image
from face_cascade.arrays import Batch, Cells, Float32, Output, Patch
from face_cascade.networks import PNET_STRIDE
from face_cascade.tiles import cell_count

_NONE = np.empty(0, np.intp)


def windows_of(patch: Patch) -> tuple[Int32, Int32, Int32, Int32]:
    """What the rows and columns of a patch average in its image: rows y0…y1, columns x0…x1, ends exclusive."""
    sums, level, piece, _ = patch
    y0, y1 = area_windows(sums.shape[0] - 1, level.height)
    x0, x1 = area_windows(sums.shape[1] - 1, level.width)
    rows = slice(piece.level_top, piece.level_top + piece.height)
    columns = slice(piece.level_left, piece.level_left + piece.width)
    return y0[rows], y1[rows], x0[columns], x1[columns]


class NumpyArrays:
    """See `arrays.Arrays`."""

    def image(self, pixels: NDArray[np.uint8], turn: int = 0) -> Int32:
        return integral_image(np.ascontiguousarray(np.rot90(pixels, turn)))

    def tiles(self, patches: Sequence[Patch], count: int, height: int, width: int) -> Batch:
        # Only what no piece covers must be black.
        filled = sum(piece.height * piece.width for _, _, piece, _ in patches) == count * height * width
        tiles = (np.empty if filled else np.zeros)((count, 3, height, width), np.float32)
        for patch in patches:
            sums, _, piece, tile = patch
            target = tiles[
                tile,
                :,
                piece.tile_top : piece.tile_top + piece.height,
                piece.tile_left : piece.tile_left + piece.width,
            ]
            area_resize(sums, *windows_of(patch), target)
        return tiles

    def cells(self, outputs: Sequence[Output], patches: Sequence[Patch], thresholds: Sequence[float]) -> Cells:
        regression, probability = outputs
        found = [Cells(_NONE, _NONE, _NONE, np.empty(0, np.float32), np.empty((0, 4), np.float32))]
        for number, ((_, _, piece, tile), threshold) in enumerate(zip(patches, thresholds, strict=True)):
            top, left = piece.tile_top // PNET_STRIDE, piece.tile_left // PNET_STRIDE
            rows = slice(top, top + cell_count(piece.height))
            columns = slice(left, left + cell_count(piece.width))
            scores = probability[tile, rows, columns]
            # Of one axis NumPy passes over what is false in great steps, of two it does not.
            likely = np.flatnonzero(scores >= np.float32(threshold))
            if len(likely):
                r, c = np.divmod(likely, scores.shape[1])
                found.append(
                    Cells(
                        np.full(len(r), number, np.intp),
                        r + piece.level_top // PNET_STRIDE,
                        c + piece.level_left // PNET_STRIDE,
                        scores[r, c],
                        regression[tile, :, rows, columns][:, r, c].T,
                    )
                )
        return Cells.joined(found)

    def gather(self, found: Sequence[Cells]) -> list[Cells]:
        return list(found)

    def crops(self, windows: Sequence[tuple[Int32, NDArray[np.int32]]], side: int) -> Float32:
        crops = np.empty((sum(len(of_image) for _, of_image in windows), 3, side, side), np.float32)
        start = 0
        for sums, of_image in windows:
            area_crops(sums, of_image, crops[start : start + len(of_image)])
            start += len(of_image)
        return crops

    def rows(self, outputs: Sequence[Float32]) -> tuple[Float32, ...]:
        return tuple(outputs)


NUMPY = NumpyArrays()
