"""PNet: what is asked of it, and how exactly it is done.

Its largest convolution is done by Winograd's filtering in large tiles, whose rounding is no plain sum's; the few cells
that are likely enough to be looked at are done again by plain sums. So what is answered is exact, and what is thrown
away was cheap. The two convolutions before it are done in tiles so small that they round as plain sums do.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from face_cascade.area import Int32, area_windows, integral_image
from face_cascade.compiled.layers import Float32, logistic
from face_cascade.compiled.scanning import EXACTLY, PLAINLY, ROUGHLY, SHAPES, packed, room, scan
from face_cascade.networks import PNET
from face_cascade.tiles import TILE_SIZE, cell_count
from face_cascade.weights import Weights, checked

# By how much a logit, the difference of a cell's two scores, may be off, so that no cell is missed that is likelier. A
# thousand times what is seen; where a network's weights make it a tenth of this, plain sums do all of it.
_MARGIN = 0.1

# The probability of a greater logit is next to 1 in float32, whose last digit decides then.
_SURE = 15.0

_Found: TypeAlias = tuple[Int32, Int32, Float32, Float32]


@dataclass(frozen=True)
class View:
    """A tile that is not drawn yet: an integral image INT32 [H+1,W+1,3], and the windows that its rows and columns
    average, INT32, ends exclusive, rows y0[i]…y1[i] and columns x0[j]…x1[j] (see `area`)."""

    sums: Int32
    y0: Int32
    y1: Int32
    x0: Int32
    x1: Int32

    def __len__(self) -> int:
        return 1


class LikelyCells(NamedTuple):
    """Row and column in the tile, INT32 [N], probability FP32 [N], regression FP32 [N,4]; by rows."""

    rows: Int32
    columns: Int32
    probability: Float32
    regression: Float32


class CompiledPNet:
    """FP32 [T,3,H,W], 0…255 → regression FP32 [T,4,h,w], probability FP32 [T,h,w]; h = ⌈(H−2)/2⌉−4; by plain sums.

    `likely` is faster, and says the same of the cells that are looked at.
    """

    def __init__(self, weights: Weights) -> None:
        """Raises WrongWeights."""
        weights = checked(PNET, weights, SHAPES)
        self._packed = packed(weights)
        self._is_fast = self._error() < _MARGIN / 10

    def __call__(self, tiles: Float32) -> tuple[Float32, Float32]:
        count, _, height, width = tiles.shape
        regression = np.empty((count, 4, cell_count(height), cell_count(width)), np.float32)
        probability = np.empty((count, *regression.shape[2:]), np.float32)
        for tile, of_tile, scores in zip(np.ascontiguousarray(tiles), regression, probability, strict=True):
            _, _, logits, moves = self._scan(tile, height, width, PLAINLY, -np.inf)
            of_tile[:] = moves.T.reshape(of_tile.shape)
            scores[:] = logistic(logits).reshape(scores.shape)
        return regression, probability

    def likely(self, view: View, least: float) -> LikelyCells:
        """The cells whose probability is `least` or more, exact to the bit as by plain sums."""
        lowest = _logit(least) - _MARGIN
        rows, columns, logits, regression = self._scan_view(view, EXACTLY if self._is_fast else PLAINLY, lowest)
        probability = logistic(logits)
        found = np.flatnonzero(probability >= np.float32(least))
        return LikelyCells(rows[found], columns[found], probability[found], regression[found])

    def _scan_view(self, view: View, way: int, least: float) -> _Found:
        source = view.sums, view.y0, view.y1, view.x0, view.x1
        return self._scan(source, len(view.y0), len(view.x0), way, least)

    def _scan(self, source: Any, height: int, width: int, way: int, least: float) -> _Found:
        """Row, column, logit and regression of the cells from a logit on, by rows."""
        most = cell_count(height) * cell_count(width)
        found = (
            np.empty(most, np.int32),
            np.empty(most, np.int32),
            np.empty(most, np.float32),
            np.empty((most, 4), np.float32),
        )
        count = scan(source, height, width, self._packed, room(width), found, way, np.float32(least))
        rows, columns, logits, regression = found
        return rows[:count], columns[:count], logits[:count], regression[:count]

    def _error(self) -> float:
        """By how much the fast way misses the logits, in a picture of noise, coarse and fine."""
        picture = np.random.default_rng(0).integers(0, 256, (TILE_SIZE, TILE_SIZE, 3), np.uint8)
        half = TILE_SIZE // 2
        coarse = picture[::16, : half // 16]
        picture[:, half:] = coarse.repeat(16, axis=0).repeat(16, axis=1)
        view = View(integral_image(picture), *area_windows(TILE_SIZE, TILE_SIZE), *area_windows(TILE_SIZE, TILE_SIZE))
        exact, rough = (self._scan_view(view, way, -np.inf)[2].astype(np.float64) for way in (PLAINLY, ROUGHLY))
        error = np.abs(exact - rough).max()
        # Weights that are not finite, or give what is not.
        return float(error) if np.isfinite(error) else np.inf


def _logit(probability: float) -> float:
    """What the logistic function makes it of; not more than tells it from 1."""
    if probability <= 0:
        return -math.inf
    return min(math.log(probability / (1 - probability)), _SURE) if probability < 1 else _SURE
