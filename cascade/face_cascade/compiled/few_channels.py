"""A convolution of 3×3 over few channels, by Winograd's filtering of small tiles.

Where channels are few, products go straight into sums in registers, since to write them down would take longer than to
make them; `winograd.py` is for many. Channels are in the lanes, or tiles, where channels fill no whole vectors.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable
from numpy.typing import NDArray

from face_cascade import vectors as v
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.small_tiles import ODD, PLACES, SIDE, Values, chunks, memory, results, summed, transform
from face_cascade.compiled.winograd import transformed_weights
from face_cascade.machine_code import named

Float32 = NDArray[np.float32]

# Tiles and vectors of channels that are summed together where channels are in the lanes; channels where tiles are. With
# 16 registers, which do not hold the sums of either, fewer loads count.
_TILES = 4
_VECTORS = 1 if v.REGISTERS == 32 else 2
_CHANNELS = 2


@dataclass(frozen=True)
class FewChannels:
    """How a convolution of 3×3 with PReLU is done that way."""

    layer: Convolution

    def packed(self, weight: Float32, bias: Float32, slope: Float32) -> Float32:
        """What the kernel of `on_planes` reads, in its order: per group of a block's vectors bias, slopes, and by place
        of a tile and channel its weights."""
        by_output = self.packed_pooled(weight, bias, slope)
        full = np.zeros((self.layer.vectors * v.LANES, by_output.shape[1]), np.float32)
        full[: len(by_output)] = by_output
        groups = full.reshape(-1, _vectors(self.layer) * v.LANES, full.shape[1])
        return np.ascontiguousarray(groups.transpose(0, 2, 1))

    def packed_pooled(self, weight: Float32, bias: Float32, slope: Float32) -> Float32:
        """What the kernel of `on_planes_pooled` reads: the same per output."""
        by_output = transformed_weights(weight, SIDE - 2).transpose(2, 0, 1, 3).reshape(len(weight), -1)
        return np.ascontiguousarray(np.column_stack([bias, slope, by_output]), np.float32)


def _vectors(layer: Convolution) -> int:
    """Of outputs that are summed together."""
    return _VECTORS if layer.vectors % _VECTORS == 0 else 1


@register_jitable
def tiles(width: int) -> int:
    """Tiles of a row of the output, of which there are some at least."""
    return max(-(-width // 2), _TILES)


def source_width(width: int) -> int:
    """Pixels that a row of the source must have for an output so wide: tiles are read in whole vectors."""
    return 2 * v.LANES * v.whole_vectors(tiles(width)) + 2


def on_planes(few: FewChannels) -> Any:
    """The convolution for numba code: f(source [inputs,h+2,W], packed, target [h,W',outputs in whole vectors], width).

    h ≥ 2; W: of `source_width(width)` at least, W': 2·`tiles(width)` at least. What stands behind `width` in the target
    is of no meaning.
    """
    kernel = _kernel(few.layer)

    @numba.njit
    @named(few)
    def convolve(source, packed, target, width):  # type: ignore[no-untyped-def]
        plane, row, _ = source.strides
        kernel(
            source.ctypes.data, row, plane, target.shape[0], tiles(width), packed.ctypes.data,
            target.ctypes.data, target.strides[0],
        )  # fmt: skip

    return convolve


def on_planes_pooled(few: FewChannels) -> Any:
    """The convolution and its largest values in windows of 2×2, stride 2, for numba code:

    f(source [inputs,4,W], packed, width, height, target [outputs,·,W'], row): one row of the target, of a map with
    `height` more rows. Partial windows at the far edges count (Caffe's `ceil_mode`). W: of `source_width(width)` at
    least, W': its half.
    """
    kernel = _pooling_kernel(few.layer)

    @numba.njit
    @named("pooled", few)
    def convolve(source, packed, width, height, target, row):  # type: ignore[no-untyped-def]
        plane, source_row, _ = source.strides
        kernel(
            source.ctypes.data, source_row, plane, width, height, packed.ctypes.data,
            target.ctypes.data + row * target.strides[1], target.strides[0],
        )  # fmt: skip

    return convolve


def _kernel(layer: Convolution) -> Any:
    """kernel(source, row_bytes, plane_bytes, height, tiles, packed, target, target_row_bytes)"""
    block_bytes = _vectors(layer) * v.VECTOR_BYTES
    group_bytes = (2 + PLACES * layer.inputs) * block_bytes
    pixel_bytes = layer.vectors * v.VECTOR_BYTES

    @intrinsic
    def convolve(  # type: ignore[no-untyped-def]
        typing_context, source, row_bytes, plane_bytes, height, tiles, packed, target, target_row
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_bytes, plane_bytes, height, tiles, packed, target, target_row = arguments
            transformed = memory(builder, layer.inputs)
            rows = builder.sdiv(builder.add(height, v.constant(1)), v.constant(2))
            with cgutils.for_range(builder, rows) as row:
                # The last row of tiles does a row of pixels again, where their number is odd.
                y = v.smaller_int(builder, builder.mul(row.index, v.constant(2)), builder.sub(height, v.constant(2)))
                of_row, to_row = (
                    builder.add(start, builder.mul(y, step))
                    for start, step in ((source, row_bytes), (target, target_row))
                )
                with chunks(builder, tiles) as chunk:
                    # So many tiles as a block has are there in any chunk.
                    first = v.smaller_int(
                        builder, builder.mul(chunk.index, v.constant(v.LANES)), builder.sub(tiles, v.constant(_TILES))
                    )
                    count = v.smaller_int(builder, builder.sub(tiles, first), v.constant(v.LANES))
                    of_chunk = v.offset(builder, of_row, first, 2 * 4)
                    transform(builder, layer.inputs, of_chunk, row_bytes, plane_bytes, transformed)
                    with cgutils.for_range(builder, v.constant(layer.vectors // _vectors(layer))) as group:
                        of_group = v.offset(builder, packed, group.index, group_bytes)
                        to_group = v.offset(builder, to_row, group.index, block_bytes)
                        with v.for_blocks(builder, count, _TILES) as tile:
                            to = v.offset(builder, to_group, builder.add(first, tile), 2 * pixel_bytes)
                            at = v.offset(builder, transformed, tile, 4)
                            _block(builder, layer, at, of_group, to, target_row)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return convolve


def _block(builder: Any, layer: Convolution, values: Any, packed: Any, target: Any, target_row: Any) -> None:
    """A group of outputs for so many tiles."""
    vectors = _vectors(layer)

    def of_packed(row: int) -> list[Any]:
        at = [v.offset(builder, packed, row * vectors + n, v.VECTOR_BYTES) for n in range(vectors)]
        return [v.load(builder, address) for address in at]

    def products(place: int, starts: Values | None) -> Values:
        totals = list(starts or [None] * (_TILES * vectors))
        for c in range(layer.inputs):
            weights = of_packed(2 + place * layer.inputs + c)
            for tile in range(_TILES):
                byte = (c * PLACES + place) * v.VECTOR_BYTES + 4 * tile
                value = v.load_repeated(builder, v.offset(builder, values, 1, byte))
                for n, weight in enumerate(weights, tile * vectors):
                    totals[n] = summed(builder, totals[n], value, weight)
        return totals

    biases, slopes = of_packed(0), of_packed(1)
    pixel_bytes = layer.vectors * v.VECTOR_BYTES
    for y, row in enumerate(results(builder, products, biases * _TILES)):
        to_row = builder.add(target, builder.mul(target_row, v.constant(y)))
        for x, of_pixel in enumerate(row):
            for number, value in enumerate(of_pixel):
                tile, n = divmod(number, vectors)
                to = v.offset(builder, to_row, 1, (2 * tile + x) * pixel_bytes + n * v.VECTOR_BYTES)
                v.store(builder, v.prelu(builder, value, slopes[n]), to)


def _pooling_kernel(layer: Convolution) -> Any:
    """kernel(source, row_bytes, plane_bytes, width, height, packed, target, target_plane_bytes)"""
    assert layer.outputs % _CHANNELS == 0, layer
    output_bytes = 4 * (2 + PLACES * layer.inputs)

    @intrinsic
    def convolve(  # type: ignore[no-untyped-def]
        typing_context, source, row_bytes, plane_bytes, width, height, packed, target, target_plane
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_bytes, plane_bytes, width, height, packed, target, target_plane = arguments
            transformed = memory(builder, layer.inputs)
            tiles = builder.sdiv(builder.add(width, v.constant(1)), v.constant(2))
            below = v.repeated(builder, builder.icmp_signed(">", height, v.constant(1)))
            with chunks(builder, tiles) as chunk:
                first = builder.mul(chunk.index, v.constant(v.LANES))
                of_chunk = v.offset(builder, source, first, 2 * 4)
                transform(builder, layer.inputs, of_chunk, row_bytes, plane_bytes, transformed)
                # Whether a tile's second column is one of the map.
                left = builder.sub(width, builder.mul(first, v.constant(2)))
                right = builder.icmp_signed("<", ODD, v.repeated(builder, builder.trunc(left, v.INT32)))
                is_there = [[None, right], [below, builder.and_(below, right)]]
                to_chunk = v.offset(builder, target, first, 4)
                with cgutils.for_range(builder, v.constant(layer.outputs // _CHANNELS)) as group:
                    of_group = v.offset(builder, packed, group.index, _CHANNELS * output_bytes)
                    plane = builder.mul(group.index, v.constant(_CHANNELS))
                    to = builder.add(to_chunk, builder.mul(plane, target_plane))
                    _pooled_block(builder, layer, transformed, of_group, is_there, to, target_plane)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return convolve


def _pooled_block(
    builder: Any, layer: Convolution, values: Any, packed: Any, is_there: Any, target: Any, target_plane: Any
) -> None:
    """A vector of tiles for so many outputs."""
    floats = 2 + PLACES * layer.inputs

    def scalar(channel: int, index: int) -> Any:
        return v.load_repeated(builder, v.offset(builder, packed, 1, 4 * (channel * floats + index)))

    def products(place: int, starts: Values | None) -> Values:
        totals = list(starts or [None] * _CHANNELS)
        for c in range(layer.inputs):
            value = v.load(builder, v.offset(builder, values, c * PLACES + place, v.VECTOR_BYTES))
            for channel, total in enumerate(totals):
                weight = scalar(channel, 2 + place * layer.inputs + c)
                totals[channel] = summed(builder, total, value, weight)
        return totals

    biases = [scalar(channel, 0) for channel in range(_CHANNELS)]
    rows = results(builder, products, biases)
    for channel in range(_CHANNELS):
        slope = scalar(channel, 1)
        activated = [[v.prelu(builder, of_place[channel], slope) for of_place in row] for row in rows]
        largest = activated[0][0]
        for y, x in ((0, 1), (1, 0), (1, 1)):
            counted = builder.select(is_there[y][x], activated[y][x], activated[0][0])
            largest = v.larger(builder, largest, counted)
        v.store(builder, largest, builder.add(target, builder.mul(target_plane, v.constant(channel))))
