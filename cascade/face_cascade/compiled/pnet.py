"""PNet: strips of eight rows of cells go through all layers before the next strip starts."""

import numba
import numpy as np

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.layers import (
    Float32,
    convolution_shapes,
    face_probability,
    head_shapes,
    on_map,
    on_pixels,
    packed_convolution,
    packed_first,
    packed_heads,
    pool,
    subtract_mean,
)
from face_cascade.compiled.vectors import LANES
from face_cascade.machine_code import kept
from face_cascade.networks import PNET
from face_cascade.weights import Weights, checked

_STRIP = 8

# conv1 goes in parts of so many pixels: two rows of them stay in the first-level cache until they are pooled.
_PART = 126

_CONV1 = Convolution(3, 3, 3, 10, typical_width=_PART, pixel_floats=1)
_CONV2 = Convolution(3, 3, 10, 16, typical_width=125)
_CONV3 = Convolution(3, 3, 16, 32, typical_width=123)
_HEADS = Convolution(1, 1, 32, 6, typical_width=123, activation=False)
_HEAD_CHANNELS = {"conv4_2": 4, "conv4_1": 2}

_SHAPES = {
    **convolution_shapes(_CONV1, 1),
    **convolution_shapes(_CONV2, 2),
    **convolution_shapes(_CONV3, 3),
    **head_shapes(_HEADS, _HEAD_CHANNELS, (1, 1)),
}

_conv1, _pool1 = on_pixels(_CONV1), pool(2, _CONV1)
_conv2, _conv3, _heads = (on_map(layer) for layer in (_CONV2, _CONV3, _HEADS))


class CompiledPNet:
    """FP32 [T,3,H,W], 0…255 → regression FP32 [T,4,h,w], probability FP32 [T,h,w]; h = ⌈(H−2)/2⌉−4."""

    def __init__(self, weights: Weights) -> None:
        """Raises WrongWeights."""
        weights = checked(PNET, weights, _SHAPES)
        self._packed = (
            packed_first(_CONV1, weights),
            packed_convolution(_CONV2, weights, 2),
            packed_convolution(_CONV3, weights, 3),
            packed_heads(_HEADS, weights, _HEAD_CHANNELS),
        )

    def __call__(self, tiles: Float32) -> tuple[Float32, Float32]:
        count, _, height, width = tiles.shape
        cells = (height - 1) // 2 - 4, (width - 1) // 2 - 4
        regression = np.empty((count, 4, *cells), np.float32)
        scores = np.empty((count, *cells, 2), np.float32)
        _run(np.ascontiguousarray(tiles), self._packed, _maps(width), regression, scores)
        return regression, face_probability(scores)


def _maps(width: int) -> tuple[Float32, ...]:
    """Memory for the rows of each map that are needed at a time: what numba code allocates itself may be gone before
    a kernel, which knows it by address only, has used it."""
    pooled = (width - 1) // 2
    shapes = (
        (3, 4, width),
        (2, _PART, _CONV1.vectors * LANES),
        (_STRIP + 4, pooled, _CONV1.vectors * LANES),
        (_STRIP + 2, pooled - 2, _CONV2.vectors * LANES),
        (1, pooled - 4, _CONV3.vectors * LANES),
        (1, pooled - 4, _HEADS.vectors * LANES),
    )
    return tuple(np.empty(shape, np.float32) for shape in shapes)


@kept()
def _run(tiles, packed, maps, regression, scores):  # type: ignore[no-untyped-def]
    pixels, conv1, pooled, conv2, conv3, heads = maps
    height = tiles.shape[2] - 2
    cell_rows, cell_columns = scores.shape[1], scores.shape[2]
    for tile in range(len(tiles)):
        for top in range(0, cell_rows, _STRIP):
            rows = min(_STRIP, cell_rows - top)
            # What windows of this strip and of the last one both see.
            kept = 0
            if top > 0:
                kept = 2
                _keep(pooled, 4)
                _keep(conv2, 2)
            for row in range(2 * kept, rows + 4):
                y = 2 * (top + row)
                _pooled_row(tiles[tile, :, y : y + 4], packed[0], pixels, conv1[: min(2, height - y)], pooled, row)
            _conv2(pooled[kept:], packed[1], conv2[kept : rows + 2])
            for row in range(rows):
                _conv3(conv2[row:], packed[2], conv3)
                _heads(conv3, packed[3], heads)
                for x in range(cell_columns):
                    for n in range(4):
                        regression[tile, n, top + row, x] = heads[0, x, n]
                    scores[tile, top + row, x, 0] = heads[0, x, 4]
                    scores[tile, top + row, x, 1] = heads[0, x, 5]


@numba.njit
def _keep(rows, count):  # type: ignore[no-untyped-def]
    """The last `count` rows of a strip as the first ones of the next. (To assign a slice takes long to compile.)"""
    for i in range(count):
        for j in range(rows.shape[1]):
            for c in range(rows.shape[2]):
                rows[i, j, c] = rows[_STRIP + i, j, c]


@numba.njit
def _pooled_row(tile_rows, packed, pixels, conv1, pooled, row):  # type: ignore[no-untyped-def]
    """One row of the pooled map, from one or two rows of conv1 and so from three or four of pixels."""
    subtract_mean(tile_rows, pixels)
    width = tile_rows.shape[2] - 2
    for left in range(0, width, _PART):
        part = conv1[:, : min(_PART, width - left)]
        _conv1(pixels[:, :, left:], packed, part)
        _pool1(part, pooled[row : row + 1, left // 2 : (left + part.shape[1] + 1) // 2])
