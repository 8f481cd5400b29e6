"""PNet: strips of eight rows of cells go through all layers before the next strip starts.

Its largest convolution is done by Winograd's filtering, whose rounding is no plain sum's; the few cells that are likely
enough to be looked at are done again by plain sums. So what is answered is exact, and what is thrown away was cheap.
"""

import math

import numba
import numpy as np

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.layers import (
    SCALE,
    Float32,
    convolution_shapes,
    head_shapes,
    logistic,
    on_map,
    on_pixels,
    packed_convolution,
    packed_heads,
)
from face_cascade.compiled.planar import PlanarConvolution, on_planes, pool_planes
from face_cascade.compiled.winograd import SIDE, Winograd, on_tiles
from face_cascade.machine_code import kept
from face_cascade.networks import PNET
from face_cascade.tiles import TILE_SIZE
from face_cascade.vectors import LANES
from face_cascade.weights import Weights, checked

_STRIP = 8

_CONV1 = PlanarConvolution(3, 3, 3, 10)
_CONV2 = Convolution(3, 3, 10, 16, typical_width=125, pixel_floats=1)
_CONV3 = Convolution(3, 3, 16, 32, typical_width=123)
_FAST3 = Winograd(_CONV3)
_HEADS = Convolution(1, 1, 32, 6, typical_width=123, activation=False)
_HEAD_CHANNELS = {"conv4_2": 4, "conv4_1": 2}

# By how much a logit, the difference of a cell's two scores, may be off, so that no cell is missed that is likelier. A
# thousand times what is seen; where a network's weights make it a tenth of this, plain sums do all of it.
_MARGIN = 0.1

# The probability of a greater logit is next to 1 in float32, whose last digit decides then.
_SURE = 15.0

_SHAPES = {
    **convolution_shapes(_CONV1, 1),
    **convolution_shapes(_CONV2, 2),
    **convolution_shapes(_CONV3, 3),
    **head_shapes(_HEADS, _HEAD_CHANNELS, (1, 1)),
}

_conv1, _pool1 = on_planes(_CONV1), pool_planes(_CONV1)
_conv2 = on_pixels(_CONV2)
_conv3, _heads, _fast3 = on_map(_CONV3), on_map(_HEADS), on_tiles(_FAST3)


class CompiledPNet:
    """FP32 [T,3,H,W], 0…255 → regression FP32 [T,4,h,w], probability FP32 [T,h,w]; h = ⌈(H−2)/2⌉−4.

    least: a probability; of cells that are less likely it is known that they are: they may have 0, and a regression
    that means nothing. The others are exact, to the bit those of plain sums; all are by default.
    """

    def __init__(self, weights: Weights) -> None:
        """Raises WrongWeights."""
        weights = checked(PNET, weights, _SHAPES)
        self._packed = (
            _CONV1.packed(weights["conv1.weight"] * SCALE, weights["conv1.bias"], weights["prelu1.weight"]),
            packed_convolution(_CONV2, weights, 2),
            packed_convolution(_CONV3, weights, 3),
            packed_heads(_HEADS, weights, _HEAD_CHANNELS),
            *_FAST3.packed(weights["conv3.weight"], weights["conv3.bias"], weights["prelu3.weight"]),
        )
        self._is_fast = self._error() < _MARGIN / 10

    def __call__(self, tiles: Float32, least: float = 0.0) -> tuple[Float32, Float32]:
        fast = self._is_fast and least > 0
        if not fast:
            regression, logits = self._run(tiles, fast, np.float32(-np.inf))
            return regression, logistic(logits)
        lowest = np.float32(_logit(least) - _MARGIN)
        regression, logits = self._run(tiles, fast, lowest)
        probability = np.zeros_like(logits)
        likely = np.flatnonzero(logits >= lowest)
        probability.reshape(-1)[likely] = logistic(logits.reshape(-1)[likely])
        return regression, probability

    def _run(self, tiles: Float32, fast: bool, least: np.float32) -> tuple[Float32, Float32]:
        count, _, height, width = tiles.shape
        cells = (height - 1) // 2 - 4, (width - 1) // 2 - 4
        regression = np.empty((count, 4, *cells), np.float32)
        logits = np.empty((count, *cells), np.float32)
        _run(np.ascontiguousarray(tiles), self._packed, _maps(width), regression, logits, fast, least)
        return regression, logits

    def _error(self) -> float:
        """By how much the fast way misses the logits, in a tile of noise, coarse and fine."""
        random = np.random.default_rng(0)
        tile = random.integers(0, 256, (1, 3, TILE_SIZE, TILE_SIZE)).astype(np.float32)
        half = TILE_SIZE // 2
        tile[..., half:] = np.repeat(np.repeat(tile[:, :, ::16, : half // 16], 16, axis=2), 16, axis=3)
        exact, rough = (self._run(tile, fast, np.float32(np.inf))[1].astype(np.float64) for fast in (False, True))
        error = np.abs(exact - rough).max()
        # Weights that are not finite, or give what is not.
        return float(error) if np.isfinite(error) else np.inf


def _logit(probability: float) -> float:
    """What the logistic function makes it of; not more than tells it from 1."""
    return min(math.log(probability / (1 - probability)), _SURE) if probability < 1 else _SURE


def _maps(width: int) -> tuple[Float32, ...]:
    """Memory for the rows of each map that are needed at a time: what numba code allocates itself may be gone before
    a kernel, which knows it by address only, has used it."""
    convolved, pooled = width - 2, (width - 1) // 2
    cells = pooled - 4
    room = _CONV1.padded(convolved)
    return (
        # Zeros: what lies behind a row is computed with, and comes to nothing.
        np.zeros((3, 4, room + LANES), np.float32),
        np.empty((_CONV1.outputs, 2, room), np.float32),
        np.zeros((_CONV1.outputs, _STRIP + 4, room // 2), np.float32),
        np.empty((_STRIP + 2, pooled - 2, _CONV2.vectors * LANES), np.float32),
        np.empty((SIDE, cells, _CONV3.vectors * LANES), np.float32),
        np.empty((SIDE, cells, _HEADS.vectors * LANES), np.float32),
        *_FAST3.maps(cells),
    )


@kept()
def _run(tiles, packed, maps, regression, logits, fast, least):  # type: ignore[no-untyped-def]
    """least: a logit: from there on the fast way's are replaced by exact ones, and only there is a regression."""
    pixels, conv1, pooled, conv2, conv3, heads, before, after = maps
    height = tiles.shape[2] - 2
    cell_rows, cell_columns = logits.shape[1], logits.shape[2]
    for tile in range(len(tiles)):
        for top in range(0, cell_rows, _STRIP):
            rows = min(_STRIP, cell_rows - top)
            # What windows of this strip and of the last one both see.
            kept = 0
            if top > 0:
                kept = 2
                _keep_planes(pooled)
                _keep(conv2)
            for row in range(2 * kept, rows + 4):
                y = 2 * (top + row)
                _subtract_mean(tiles, tile, y, pixels)
                of_row = conv1[:, : min(2, height - y)]
                _conv1(pixels, packed[0], of_row, tiles.shape[3] - 2)
                _pool1(of_row, tiles.shape[3] - 2, pooled, row)
            _conv2(pooled[:, kept:], packed[1], conv2[kept : rows + 2])
            if fast and rows >= SIDE and cell_columns >= SIDE:
                for first in range(0, rows, SIDE):
                    # The last four may do some rows again.
                    start = min(first, rows - SIDE)
                    _fast3(conv2[start:], packed[4], packed[5], before, after, conv3)
                    _heads(conv3, packed[3], heads)
                    for i in range(SIDE):
                        _logits(heads[i], logits[tile, top + start + i])
                    # The last row of both maps is free now.
                    for i in range(SIDE):
                        row = top + start + i
                        _exactly(
                            conv2[start + i :],
                            packed,
                            conv3[SIDE - 1 :],
                            heads[SIDE - 1 :],
                            regression[tile, :, row],
                            logits[tile, row],
                            least,
                        )
            else:
                for i in range(rows):
                    _conv3(conv2[i:], packed[2], conv3[:1])
                    _heads(conv3[:1], packed[3], heads[:1])
                    _answer(heads[0], regression[tile, :, top + i], logits[tile, top + i])


@numba.njit
def _answer(heads, regression, logits):  # type: ignore[no-untyped-def]
    """A row of cells [w,·] as regression [4,w] and logits [w]."""
    _logits(heads, logits)
    for x in range(len(logits)):
        for n in range(4):
            regression[n, x] = heads[x, n]


@numba.njit
def _logits(heads, logits):  # type: ignore[no-untyped-def]
    for x in range(len(logits)):
        logits[x] = heads[x, 5] - heads[x, 4]


@numba.njit
def _exactly(conv2, packed, conv3, heads, regression, logits, least):  # type: ignore[no-untyped-def]
    """The cells of a row that are likely enough, by plain sums, in runs of neighbours. conv3, heads: of one row."""
    width = len(logits)
    x = 0
    while x < width:
        first = x
        while x < width and logits[x] >= least:
            x += 1
        if x > first:
            count = x - first
            _conv3(conv2[:, first:], packed[2], conv3[:, :count])
            _heads(conv3[:, :count], packed[3], heads[:, :count])
            _answer(heads[0, :count], regression[:, first:x], logits[first:x])
        x += 1


@numba.njit
def _keep(rows):  # type: ignore[no-untyped-def]
    """The last two rows of a strip as the first ones of the next. (To assign a slice takes long to compile.)"""
    for i in range(2):
        for j in range(rows.shape[1]):
            for c in range(rows.shape[2]):
                rows[i, j, c] = rows[_STRIP + i, j, c]


@numba.njit
def _keep_planes(planes):  # type: ignore[no-untyped-def]
    """The last four, where each channel is a plane."""
    for c in range(planes.shape[0]):
        for i in range(4):
            for j in range(planes.shape[2]):
                planes[c, i, j] = planes[c, _STRIP + i, j]


@numba.njit
def _subtract_mean(tiles, tile, top, pixels):  # type: ignore[no-untyped-def]
    """Four rows of a tile, or three at its end, less 127.5. (Of whole arrays LLVM makes vector code, of views not.)"""
    for c in range(3):
        for i in range(min(4, tiles.shape[2] - top)):
            for j in range(tiles.shape[3]):
                pixels[c, i, j] = tiles[tile, c, top + i, j] - np.float32(127.5)
