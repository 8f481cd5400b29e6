"""A convolution with its bias and PReLU: sums stay in registers, the map is read once a vector of outputs."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from face_cascade import vectors as v

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Convolution:
    """A convolution without padding, stride 1, over maps with channels last.

    Args:
        height, width: of its window.
        inputs, outputs: channels.
        typical_width: of its output map, in pixels; any width is right, this one is fast.
        pixel_floats: from one pixel of its input map to the next, in floats; None for `inputs` in whole vectors.
        activation: whether PReLU follows.
    """

    height: int
    width: int
    inputs: int
    outputs: int
    typical_width: int
    pixel_floats: int | None = None
    activation: bool = True

    @property
    def vectors(self) -> int:
        """Vectors that hold one pixel of its output."""
        return v.whole_vectors(self.outputs)

    @property
    def input_floats(self) -> int:
        return self.pixel_floats or v.whole_vectors(self.inputs) * v.LANES

    @property
    def block(self) -> tuple[int, int]:
        """(pixels, vectors of each) whose sums are in registers together."""
        return best_block(self.vectors, self.typical_width)

    def packed(self, weight: Float32, bias: Float32, slope: Float32 | None) -> Float32:
        """What the kernel reads, in its order: per group of a block's vectors, bias, PReLU's slopes and weights.

        weight [outputs,inputs,height,width], bias and slope [outputs]. Channels that fill up a vector are zero.
        """
        full = np.zeros((self.vectors * v.LANES, self.inputs * self.height * self.width + 2), np.float32)
        full[: self.outputs, 0] = bias
        full[: self.outputs, 1] = 0 if slope is None else slope
        full[: self.outputs, 2:] = weight.transpose(0, 2, 3, 1).reshape(self.outputs, -1)
        groups = full.reshape(-1, self.block[1] * v.LANES, full.shape[1])
        return np.ascontiguousarray(groups.transpose(0, 2, 1))


@cache
def best_block(vectors: int, width: int) -> tuple[int, int]:
    """The (pixels, vectors) of a block that fit into the registers and cost least for a row of this width.

    Each of a window's values costs a multiplication for every sum of the block, or the loads of its pixels and
    weights, whichever is more; under eight sums the processor waits for its own results. Three more for the loop.
    Over sixteen pixels were slower than counted. Of blocks that cost the same, the one with fewer loads is faster.
    """

    def cost(pixels: int, block_vectors: int) -> tuple[int, int]:
        passes = -(-width // pixels) * (vectors // block_vectors)
        loads = pixels + block_vectors
        return passes * (max(pixels * block_vectors, loads, 8) + 3), passes * loads

    blocks = [
        (pixels, block_vectors)
        for block_vectors in range(1, vectors + 1)
        for pixels in range(1, min(width, 16) + 1)
        if vectors % block_vectors == 0 and block_vectors * (pixels + 1) < v.REGISTERS
    ]
    return min(blocks, key=lambda block: cost(*block))


def kernel(convolution: Convolution) -> Any:
    """The convolution as a function for numba code:

    kernel(source, row_bytes, channel_bytes, height, width, packed, target, target_row_bytes)

    source: address of the input's first value; row_bytes, channel_bytes: from one to the next row and channel in it.
    height, width: of the output, in pixels. packed: address of what `Convolution.packed` gives.
    target: address of the output map, `vectors` whole vectors a pixel.
    """

    @intrinsic
    def convolve(  # type: ignore[no-untyped-def]
        typing_context, source, row_bytes, channel_bytes, height, width, packed, target, target_row_bytes
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _Generator(convolution, builder, *arguments).map()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return convolve


class _Generator:
    """Writes the instructions; sizes that are the convolution's own are constants in them."""

    def __init__(self, convolution: Convolution, builder: Any, *arguments: Any) -> None:
        self.convolution = convolution
        self.builder = builder
        self.source, self.row_bytes, self.channel_bytes = arguments[:3]
        self.height, self.width, self.packed, self.target, self.target_row_bytes = arguments[3:]
        self.pixels, self.vectors = convolution.block
        self.weight_bytes = self.vectors * v.VECTOR_BYTES
        self.pixel_bytes = 4 * convolution.input_floats
        self.target_bytes = convolution.vectors * v.VECTOR_BYTES

    def map(self) -> None:
        c, builder = self.convolution, self.builder
        group_bytes = (c.height * c.width * c.inputs + 2) * self.weight_bytes
        with cgutils.for_range(builder, v.constant(c.vectors // self.vectors)) as group:
            packed = v.offset(builder, self.packed, group.index, group_bytes)
            target = v.offset(builder, self.target, group.index, self.weight_bytes)
            with cgutils.for_range(builder, self.height) as row:
                source_row = builder.add(self.source, builder.mul(row.index, self.row_bytes))
                target_row = builder.add(target, builder.mul(row.index, self.target_row_bytes))
                self._row(source_row, packed, target_row)

    def _row(self, source: Any, packed: Any, target: Any) -> None:
        """Whole blocks, of which the last may do some pixels again; single pixels where the row is too short."""
        builder = self.builder
        is_wide = builder.icmp_signed(">=", self.width, v.constant(self.pixels))
        with builder.if_else(is_wide) as (wide, narrow):
            with wide, v.for_blocks(builder, self.width, self.pixels) as first:
                self._block(self.pixels, first, source, packed, target)
            with narrow, cgutils.for_range(builder, self.width) as single:
                self._block(1, single.index, source, packed, target)

    def _block(self, pixels: int, first: Any, source: Any, packed: Any, target: Any) -> None:
        builder = self.builder
        source = v.offset(builder, source, first, self.pixel_bytes)
        target = v.offset(builder, target, first, self.target_bytes)
        sums = [[cgutils.alloca_once(builder, v.VECTOR) for _ in range(self.vectors)] for _ in range(pixels)]
        for n in range(self.vectors):
            bias = v.load(builder, v.offset(builder, packed, n, v.VECTOR_BYTES))
            for of_pixel in sums:
                builder.store(bias, of_pixel[n])
        self._window(sums, source, v.offset(builder, packed, 2, self.weight_bytes))
        slopes = v.offset(builder, packed, 1, self.weight_bytes)
        for n in range(self.vectors):
            slope = v.load(builder, v.offset(builder, slopes, n, v.VECTOR_BYTES))
            for pixel, of_pixel in enumerate(sums):
                result = builder.load(of_pixel[n])
                if self.convolution.activation:
                    result = v.prelu(builder, result, slope)
                v.store(builder, result, v.offset(builder, target, 1, pixel * self.target_bytes + n * v.VECTOR_BYTES))

    def _window(self, sums: list[list[Any]], source: Any, weights: Any) -> None:
        """Adds every value of the window, times its weights, to the sums of every pixel."""
        c, builder = self.convolution, self.builder
        weights_now = cgutils.alloca_once(builder, ir.IntType(64))
        builder.store(weights, weights_now)
        with cgutils.for_range(builder, v.constant(c.height)) as row:
            of_row = builder.add(source, builder.mul(row.index, self.row_bytes))
            with cgutils.for_range(builder, v.constant(c.width)) as column:
                of_column = v.offset(builder, of_row, column.index, self.pixel_bytes)
                with cgutils.for_range(builder, v.constant(c.inputs)) as channel:
                    values = builder.add(of_column, builder.mul(channel.index, self.channel_bytes))
                    at = builder.load(weights_now)
                    self._add(sums, values, at)
                    builder.store(builder.add(at, v.constant(self.weight_bytes)), weights_now)

    def _add(self, sums: list[list[Any]], values: Any, weights: Any) -> None:
        builder = self.builder
        loaded = [v.load(builder, v.offset(builder, weights, n, v.VECTOR_BYTES)) for n in range(self.vectors)]
        for pixel, of_pixel in enumerate(sums):
            value = v.load_repeated(builder, v.offset(builder, values, pixel, self.pixel_bytes))
            for total, weight in zip(of_pixel, loaded, strict=True):
                builder.store(v.multiply_add(builder, builder.load(total), value, weight), total)
