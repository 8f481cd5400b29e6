"""A first convolution with pixels in the lanes, over maps with a plane a channel; and the pooling behind it.

For a layer whose channels fill no whole vectors: of ten channels in lanes of eight or sixteen, six are nothing. Each
value is summed in the same order as by `convolution.py`, and so has the same bits.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from face_cascade import vectors as v
from face_cascade.machine_code import named

Float32 = NDArray[np.float32]

_LEAST = -np.finfo(np.float32).max
"""Less than anything that a convolution gives."""


@dataclass(frozen=True)
class PlanarConvolution:
    """A convolution without padding, stride 1, with PReLU, from planes [inputs,H,W] to planes [outputs,h,w].

    Rows are written in whole blocks of `pixels` vectors: source and target must have room for `padded(w)` pixels a row,
    and one vector more in the source. What stands behind w is of no meaning.

    block: (vectors of pixels, channels) whose sums are in registers together.
    """

    height: int
    width: int
    inputs: int
    outputs: int
    block: tuple[int, int] = (2, 5)

    def padded(self, width: int) -> int:
        """Pixels of a row of the target that is `width` wide."""
        pixels = self.block[0] * v.LANES
        return -(-width // pixels) * pixels

    def packed(self, weight: Float32, bias: Float32, slope: Float32) -> Float32:
        """What the kernel reads, in its order: per group of a block's channels, biases, slopes, weights.

        weight [outputs,inputs,height,width], bias and slope [outputs].
        """
        by_place = weight.transpose(2, 3, 1, 0).reshape(-1, self.outputs)
        rows = np.concatenate([bias[np.newaxis], slope[np.newaxis], by_place])
        return np.ascontiguousarray(rows.reshape(len(rows), -1, self.block[1]).transpose(1, 0, 2), np.float32)


def on_planes(layer: PlanarConvolution) -> Any:
    """The convolution for numba code: f(source [inputs,H,W], packed, target [outputs,h,W'], width)."""
    kernel = _kernel(layer)
    pixels = layer.block[0] * v.LANES

    @numba.njit
    @named(layer)
    def convolve(source, packed, target, width):  # type: ignore[no-untyped-def]
        plane, row, _ = source.strides
        to_plane, to_row, _ = target.strides
        kernel(
            source.ctypes.data, row, plane, target.shape[1], (width + pixels - 1) // pixels, packed.ctypes.data,
            target.ctypes.data, to_row, to_plane,
        )  # fmt: skip

    return convolve


def pool_planes(layer: PlanarConvolution) -> Any:
    """Max-pooling of the layer's output by windows of 2×2, stride 2, for numba code:

    f(source [C,1 or 2,W'], width, target [C,h,w'], row): one row of the target. The partial window at the far edge
    counts (Caffe's `ceil_mode`); the source's pixel behind the width is written over for that.
    """
    # It reads two vectors at a time, and rows are padded to whole blocks.
    assert layer.block[0] % 2 == 0, layer
    kernel = _pooling_kernel()
    channels = layer.outputs

    @numba.njit
    @named("2x2", layer)
    def pool(source, width, target, row):  # type: ignore[no-untyped-def]
        last = source.shape[1] - 1
        if width % 2:
            for c in range(channels):
                source[c, 0, width] = _LEAST
                source[c, last, width] = _LEAST
        first_row, to_row = source.ctypes.data, target.ctypes.data + row * target.strides[1]
        kernel(
            first_row, first_row + last * source.strides[1], source.strides[0], channels,
            (width + 2 * v.LANES - 1) // (2 * v.LANES), to_row, target.strides[0],
        )  # fmt: skip

    return pool


def _kernel(layer: PlanarConvolution) -> Any:
    """kernel(source, row_bytes, plane_bytes, height, blocks, packed, target, target_row_bytes, target_plane_bytes)"""

    @intrinsic
    def convolve(  # type: ignore[no-untyped-def]
        typing_context, source, row_bytes, plane_bytes, height, blocks, packed, target, target_row, target_plane
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _Generator(layer, builder, *arguments).planes()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), generate

    return convolve


class _Generator:
    """Writes the instructions; the layer's own sizes are constants in them."""

    def __init__(self, layer: PlanarConvolution, builder: Any, *arguments: Any) -> None:
        self.layer, self.builder = layer, builder
        self.source, self.row_bytes, self.plane_bytes, self.height, self.blocks = arguments[:5]
        self.packed, self.target, self.target_row, self.target_plane = arguments[5:]
        self.pixels, self.channels = layer.block

    def planes(self) -> None:
        builder, layer = self.builder, self.layer
        group_bytes = 4 * self.channels * (layer.height * layer.width * layer.inputs + 2)
        with cgutils.for_range(builder, self.height) as row:
            source_row = builder.add(self.source, builder.mul(row.index, self.row_bytes))
            target_row = builder.add(self.target, builder.mul(row.index, self.target_row))
            with cgutils.for_range(builder, self.blocks) as block:
                source = v.offset(builder, source_row, block.index, self.pixels * v.VECTOR_BYTES)
                target = v.offset(builder, target_row, block.index, self.pixels * v.VECTOR_BYTES)
                with cgutils.for_range(builder, v.constant(layer.outputs // self.channels)) as group:
                    packed = v.offset(builder, self.packed, group.index, group_bytes)
                    first = builder.mul(group.index, v.constant(self.channels))
                    self._block(source, packed, builder.add(target, builder.mul(first, self.target_plane)))

    def _block(self, source: Any, packed: Any, target: Any) -> None:
        builder = self.builder
        sums = [[cgutils.alloca_once(builder, v.VECTOR) for _ in range(self.pixels)] for _ in range(self.channels)]
        for channel, of_channel in enumerate(sums):
            bias = self._scalar(packed, channel)
            for total in of_channel:
                builder.store(bias, total)
        self._window(sums, source, v.offset(builder, packed, 2, 4 * self.channels))
        for channel, of_channel in enumerate(sums):
            slope = self._scalar(packed, self.channels + channel)
            to = builder.add(target, builder.mul(v.constant(channel), self.target_plane))
            for pixel, total in enumerate(of_channel):
                result = v.prelu(builder, builder.load(total), slope)
                v.store(builder, result, v.offset(builder, to, pixel, v.VECTOR_BYTES))

    def _window(self, sums: list[list[Any]], source: Any, weights: Any) -> None:
        """Adds every value of the window, times its weights, to the sums of every pixel."""
        builder, layer = self.builder, self.layer
        weights_now = cgutils.alloca_once(builder, v.INT64)
        builder.store(weights, weights_now)
        with cgutils.for_range(builder, v.constant(layer.height)) as row:
            of_row = builder.add(source, builder.mul(row.index, self.row_bytes))
            with cgutils.for_range(builder, v.constant(layer.width)) as column:
                of_column = v.offset(builder, of_row, column.index, 4)
                at = builder.load(weights_now)
                for plane in range(layer.inputs):
                    values = builder.add(of_column, builder.mul(v.constant(plane), self.plane_bytes))
                    self._add(sums, values, at, plane * self.channels)
                step = v.constant(4 * self.channels * layer.inputs)
                builder.store(builder.add(at, step), weights_now)

    def _add(self, sums: list[list[Any]], values: Any, weights: Any, first: int) -> None:
        builder = self.builder
        loaded = [v.load(builder, v.offset(builder, values, pixel, v.VECTOR_BYTES)) for pixel in range(self.pixels)]
        for channel, of_channel in enumerate(sums):
            weight = self._scalar(weights, first + channel)
            for total, value in zip(of_channel, loaded, strict=True):
                builder.store(v.multiply_add(builder, builder.load(total), value, weight), total)

    def _scalar(self, address: Any, index: int) -> Any:
        return v.load_repeated(self.builder, v.offset(self.builder, address, index, 4))


def _pooling_kernel() -> Any:
    """kernel(first_row, second_row, plane_bytes, planes, vectors, target, target_plane_bytes)"""
    numbers = ir.VectorType(v.INT32, v.LANES)
    even = ir.Constant(numbers, [2 * n for n in range(v.LANES)])
    odd = ir.Constant(numbers, [2 * n + 1 for n in range(v.LANES)])

    @intrinsic
    def pool(  # type: ignore[no-untyped-def]
        typing_context, first_row, second_row, plane_bytes, planes, vectors, target, target_plane
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            *rows, plane_bytes, planes, vectors, target, target_plane = arguments
            with cgutils.for_range(builder, planes) as plane:
                of_plane = [builder.add(row, builder.mul(plane.index, plane_bytes)) for row in rows]
                to_plane = builder.add(target, builder.mul(plane.index, target_plane))
                with cgutils.for_range(builder, vectors) as vector:
                    at = [v.offset(builder, row, vector.index, 2 * v.VECTOR_BYTES) for row in of_plane]
                    left = v.larger(builder, *(v.load(builder, row) for row in at))
                    next_to = [v.offset(builder, row, 1, v.VECTOR_BYTES) for row in at]
                    right = v.larger(builder, *(v.load(builder, row) for row in next_to))
                    pairs = (builder.shuffle_vector(left, right, lanes) for lanes in (even, odd))
                    to = v.offset(builder, to_plane, vector.index, v.VECTOR_BYTES)
                    v.store(builder, v.larger(builder, *pairs), to)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    return pool
