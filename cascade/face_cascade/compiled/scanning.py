"""PNet's layers, and how a tile goes through them: eight rows of cells pass all layers before the next eight begin."""

import numba
import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from face_cascade.area import average_windows
from face_cascade.compiled import dots
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.dots import LEAST_WIDTH
from face_cascade.compiled.few_channels import FewChannels, on_planes, on_planes_pooled, source_width, tiles
from face_cascade.compiled.layers import (
    SCALE,
    Float32,
    Packed,
    convolution_shapes,
    head_shapes,
    on_map,
    packed_convolution,
    packed_heads,
)
from face_cascade.compiled.winograd import SIDE, Winograd, on_tiles
from face_cascade.machine_code import kept
from face_cascade.vectors import LANES
from face_cascade.weights import Weights

# How cells are done, from the third convolution on: by plain sums; fast, and those that are likely again by plain sums;
# fast alone.
PLAINLY, EXACTLY, ROUGHLY = range(3)

_STRIP = 8

_CONV1 = FewChannels(Convolution(3, 3, 3, 10, typical_width=254))
_CONV2 = FewChannels(Convolution(3, 3, 10, 16, typical_width=125))
_CONV3 = Convolution(3, 3, 16, 32, typical_width=123)
_FAST3 = Winograd(_CONV3)
_HEADS = Convolution(1, 1, 32, 6, typical_width=123, activation=False)
_HEAD_CHANNELS = {"conv4_2": 4, "conv4_1": 2}

SHAPES = {
    **convolution_shapes(_CONV1.layer, 1),
    **convolution_shapes(_CONV2.layer, 2),
    **convolution_shapes(_CONV3, 3),
    **head_shapes(_HEADS, _HEAD_CHANNELS, (1, 1)),
}
"""Of all its tensors, by name."""

_conv1, _conv2 = on_planes_pooled(_CONV1), on_planes(_CONV2)
_conv3, _heads = on_map(_CONV3), on_map(_HEADS)
_fast3, _fast_logits = on_tiles(_FAST3), dots.on_rows(_CONV3.vectors)


def packed(weights: Weights) -> tuple[Packed, ...]:
    """What the kernels read, layer by layer."""
    return (
        _CONV1.packed_pooled(weights["conv1.weight"] * SCALE, weights["conv1.bias"], weights["prelu1.weight"]),
        packed_convolution(_CONV2, weights, 2),
        packed_convolution(_CONV3, weights, 3),
        packed_heads(_HEADS, weights, _HEAD_CHANNELS),
        *_FAST3.packed(weights["conv3.weight"], weights["conv3.bias"], weights["prelu3.weight"]),
        dots.packed(*_face_or_not(weights)),
    )


def _face_or_not(weights: Weights) -> tuple[NDArray[np.float64], float]:
    """What gives a cell's logit, the difference of its two scores: weights [32] and bias."""
    weight, bias = (weights[f"conv4_1.{name}"].astype(np.float64).reshape(2, -1) for name in ("weight", "bias"))
    return weight[1] - weight[0], float(bias[1, 0] - bias[0, 0])


def room(width: int) -> tuple[Float32, ...]:
    """Memory for the rows of each map that are needed at a time: what numba code allocates itself may be gone before
    a kernel, which knows it by address only, has used it."""
    convolved, pooled = width - 2, (width - 1) // 2
    cells = pooled - 4
    of_conv1, of_conv2 = source_width(convolved), source_width(pooled - 2)
    return (
        # Zeros: what lies behind a row is computed with, and comes to nothing.
        np.zeros((3, 4, of_conv1), np.float32),
        np.zeros((_CONV1.layer.outputs, _STRIP + 4, max(of_conv1 // 2, of_conv2)), np.float32),
        np.empty((_STRIP + 2, 2 * tiles(pooled - 2), _CONV2.layer.vectors * LANES), np.float32),
        np.empty((SIDE, cells, _CONV3.vectors * LANES), np.float32),
        np.empty((1, cells, _HEADS.vectors * LANES), np.float32),
        np.empty((SIDE, cells), np.float32),
        *_FAST3.maps(cells),
    )


@kept()
def scan(source, height, width, packed, maps, found, way, least):  # type: ignore[no-untyped-def]
    """Fills `found` with the cells from the logit `least` on, and says how many they are."""
    pixels, pooled, conv2, conv3, heads, logits, before, after = maps
    cell_rows, cell_columns = (height - 1) // 2 - 4, (width - 1) // 2 - 4
    count = 0
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
            # Two rows are those of the pooled row before.
            first = 0 if y == 0 else 2
            _keep_pixels(pixels, first)
            _draw(source, y + first, min(4, height - y) - first, pixels, first)
            _conv1(pixels, packed[0], width - 2, height - 2 - y, pooled, row)
        # Two rows at least.
        done = min(kept, rows)
        _conv2(pooled[:, done:], packed[1], conv2[done : rows + 2], cell_columns + 2)
        if way != PLAINLY and rows >= SIDE and cell_columns >= LEAST_WIDTH:
            for first in range(0, rows, SIDE):
                # Of the last four some may have been done.
                start = min(first, rows - SIDE)
                _fast3(conv2[start:], packed[4], packed[5], before, after, conv3)
                _fast_logits(conv3, packed[6], logits)
                for i in range(first - start, SIDE):
                    if way == ROUGHLY:
                        count = _as_they_are(logits[i], top + start + i, found, count)
                    else:
                        # The last row of the map is free now.
                        at = conv2[start + i :], conv3[SIDE - 1 :], heads
                        count = _exactly(*at, packed, logits[i], least, top + start + i, found, count)
        else:
            for i in range(rows):
                count = _plainly(conv2[i:], conv3, heads, packed, 0, cell_columns, least, top + i, found, count)
    return count


def _draw(source, y, count, pixels, first):  # type: ignore[no-untyped-def]
    """Rows of a source from y on, less 127.5, as rows of `pixels` [3,4,·] from `first` on; in compiled code."""
    raise NotImplementedError


@overload(_draw)
def _draw_of_type(source, y, count, pixels, first):  # type: ignore[no-untyped-def]
    return _draw_view if isinstance(source, types.BaseTuple) else _copy_tile


def _draw_view(source, y, count, pixels, first):  # type: ignore[no-untyped-def]
    sums, y0, y1, x0, x1 = source
    width = len(x0)
    average_windows(sums, y0[y : y + count], y1[y : y + count], x0, x1, pixels[:, first : first + count, :width])
    for c in range(3):
        for i in range(first, first + count):
            for j in range(width):
                pixels[c, i, j] -= np.float32(127.5)


def _copy_tile(source, y, count, pixels, first):  # type: ignore[no-untyped-def]
    for c in range(3):
        for i in range(count):
            for j in range(source.shape[2]):
                pixels[c, first + i, j] = source[c, y + i, j] - np.float32(127.5)


@numba.njit
def _keep_pixels(pixels, count):  # type: ignore[no-untyped-def]
    """The last `count` of four rows as the first ones."""
    for c in range(3):
        for i in range(count):
            for j in range(pixels.shape[2]):
                pixels[c, i, j] = pixels[c, 4 - count + i, j]


@numba.njit
def _exactly(conv2, conv3, heads, packed, logits, least, row, found, count):  # type: ignore[no-untyped-def]
    """Adds the cells of a row that are likely enough, done again by plain sums, in runs of neighbours."""
    width = len(logits)
    x = 0
    while x < width:
        first = x
        while x < width and logits[x] >= least:
            x += 1
        if x > first:
            count = _plainly(conv2, conv3, heads, packed, first, x - first, least, row, found, count)
        x += 1
    return count


@numba.njit
def _plainly(conv2, conv3, heads, packed, first, width, least, row, found, count):  # type: ignore[no-untyped-def]
    """Adds those of `width` cells that are likely enough by plain sums. conv3, heads: memory for one row."""
    _conv3(conv2[:, first:], packed[2], conv3[:1, :width])
    _heads(conv3[:1, :width], packed[3], heads[:, :width])
    rows, columns, logits, regression = found
    for x in range(width):
        logit = heads[0, x, 5] - heads[0, x, 4]
        # What is no number is not less, and stays.
        if not logit < least:
            rows[count], columns[count], logits[count] = row, first + x, logit
            for n in range(4):
                regression[count, n] = heads[0, x, n]
            count += 1
    return count


@numba.njit
def _as_they_are(of_row, row, found, count):  # type: ignore[no-untyped-def]
    """Adds all cells of a row, without regression."""
    rows, columns, logits, _ = found
    for x in range(len(of_row)):
        rows[count], columns[count], logits[count] = row, x, of_row[x]
        count += 1
    return count


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
