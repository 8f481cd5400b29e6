"""A convolution of 3×3 by Winograd's minimal filtering: a quarter of the multiplications, and not the same bits.

Of Lavin & Gray 2015 (arXiv:1509.09308): tiles of values, two more a side than results, are transformed, multiplied with
the transformed weights place by place, as matrix products over channels, and transformed back. F(4×4, 3×3) needs 36
products for 16 results, and rounds some ten times as roughly as plain sums; F(3×3, 3×3) needs 25 for 9, and rounds
three times as roughly. So what depends on the last digits asks `convolution.py`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from face_cascade import vectors as v
from face_cascade.compiled import convolution
from face_cascade.compiled.convolution import Convolution, best_block
from face_cascade.machine_code import named

Float32 = NDArray[np.float32]

SIDE = 4
"""Results of a tile, along a side, where nothing else is asked for."""

# By that side: where the polynomials of the method are evaluated, but for infinity.
_POINTS = {2: (0, 1, -1), 3: (0, 1, -1, 2), 4: (0, 1, -1, 2, -2)}


@dataclass(frozen=True)
class Winograd:
    """How a convolution of 3×3 with PReLU is done that way; its outputs fill whole vectors.

    side: of a tile's results, 3 or 4. typical_height, and the layer's typical_width: of its output, in pixels; any size
    from `side` on is right.
    """

    layer: Convolution
    side: int = SIDE
    typical_height: int = SIDE

    @property
    def tile(self) -> int:
        """Values of a tile, along a side."""
        return self.side + 2

    @property
    def places(self) -> int:
        return self.tile * self.tile

    @property
    def groups(self) -> int:
        """Of outputs: one goes through all places before the next, so that its tiles stay in the cache."""
        return self.layer.outputs // self.product.outputs

    @cached_property
    def product(self) -> Convolution:
        """For one group at one place of the tiles: a matrix product, as a convolution of 1×1 over tiles."""
        tiles = self._tiles(self.typical_height, self.layer.typical_width)
        _, vectors = best_block(self.layer.vectors, tiles)
        return Convolution(1, 1, self.layer.inputs, vectors * v.LANES, typical_width=tiles, activation=False)

    def packed(self, weight: Float32, bias: Float32, slope: Float32) -> tuple[Float32, Float32]:
        """What the kernels read: of each group and place what `Convolution.packed` gives; and [2,outputs]."""
        product = self.product
        shape = self.places, self.groups, product.outputs, product.inputs, 1, 1
        by_group = transformed_weights(weight, self.side).reshape(shape).swapaxes(0, 1)
        no_bias = np.zeros(product.outputs, np.float32)
        packed = np.stack([[product.packed(place, no_bias, None) for place in group] for group in by_group])
        return packed, np.stack([bias, slope]).astype(np.float32)

    def maps(self, width: int, height: int = SIDE) -> tuple[Float32, Float32]:
        """Memory for the tiles of an output of that size, before and after the products."""
        count = self._tiles(height, width)
        return (
            np.empty((self.places, count, self.layer.input_floats), np.float32),
            np.empty((self.places, count, self.product.outputs), np.float32),
        )

    def _tiles(self, height: int, width: int) -> int:
        return -(-height // self.side) * -(-width // self.side)


def transformed_weights(weight: Float32, side: int) -> Float32:
    """weight [outputs,inputs,3,3] → [side+2,side+2,outputs,inputs], for tiles with so many results along a side."""
    transform = _of_weights(side)
    return np.einsum("ia,ocab,jb->ijoc", transform, weight.astype(np.float64), transform).astype(np.float32)


def _of_weights(side: int) -> NDArray[np.float64]:
    """The paper's G: of each point x a row 1, x, x² over the product of its distances from the others; infinity's row.

    B and A are written out, in `_before_3` and its like.
    """
    points = _POINTS[side]
    distances = [np.prod([x - other for other in points if other != x]) for x in points]
    rows = [np.array([1, x, x * x]) / distance for x, distance in zip(points, distances, strict=True)]
    return np.array([*rows, [0, 0, 1]])


def on_tiles(winograd: Winograd) -> Any:
    """The convolution for numba code: f(source [h+2,w+2,C], packed, ends, before, after, target [h,w,C]); h, w ≥ side.

    packed, ends: of `packed`. before, after: memory, as much as that of `maps` at least.
    """
    side, places, groups = winograd.side, winograd.places, winograd.groups
    before_bytes, after_bytes = 4 * winograd.layer.input_floats, 4 * winograd.product.outputs
    product = convolution.kernel(winograd.product)
    transform, back = _kernel_before(winograd), _kernel_after(winograd)

    @numba.njit
    @named(winograd)
    def convolve(source, packed, ends, before, after, target):  # type: ignore[no-untyped-def]
        height, width, _ = target.shape
        # The last tile of a row, and the last row of them, do some pixels again.
        rows, columns = (height + side - 1) // side, (width + side - 1) // side
        place_before, place_after = rows * columns * before_bytes, rows * columns * after_bytes
        for row in range(rows):
            transform(
                source.ctypes.data + min(row * side, height - side) * source.strides[0], source.strides[0],
                columns, width - side,
                before.ctypes.data + row * columns * before_bytes, place_before,
            )  # fmt: skip
        for group in range(groups):
            for place in range(places):
                product(
                    before.ctypes.data + place * place_before, 0, 4, 1, rows * columns,
                    packed.ctypes.data + group * packed.strides[0] + place * packed.strides[1],
                    after.ctypes.data + place * place_after, 0,
                )  # fmt: skip
            for row in range(rows):
                back(
                    after.ctypes.data + row * columns * after_bytes, place_after,
                    columns, width - side,
                    ends.ctypes.data + group * after_bytes,
                    target.ctypes.data + min(row * side, height - side) * target.strides[0] + group * after_bytes,
                    target.strides[0],
                )  # fmt: skip

    return convolve


def _kernel_before(winograd: Winograd) -> Any:
    """kernel(source, row_bytes, tiles, last, target, place_bytes); last: pixel at which a tile begins at most."""
    channels, side, tile_side = winograd.layer.input_floats, winograd.side, winograd.tile
    before = _BEFORE[side]
    pixel_bytes = 4 * channels

    @intrinsic
    def transform(typing_context, source, row_bytes, count, last, target, place_bytes):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_bytes, count, last, target, place_bytes = arguments
            with cgutils.for_range(builder, count) as tile:
                x = v.smaller_int(builder, builder.mul(tile.index, v.constant(side)), last)
                of_tile = v.offset(builder, source, x, pixel_bytes)
                to = v.offset(builder, target, tile.index, pixel_bytes)
                for n in range(channels // v.LANES):
                    rows = []
                    for i in range(tile_side):
                        row = builder.add(of_tile, builder.mul(row_bytes, v.constant(i)))
                        at = [j * pixel_bytes + n * v.VECTOR_BYTES for j in range(tile_side)]
                        rows.append(before(builder, [v.load(builder, v.offset(builder, row, 1, byte)) for byte in at]))
                    for j in range(tile_side):
                        for i, value in enumerate(before(builder, [row[j] for row in rows])):
                            place = builder.add(to, builder.mul(place_bytes, v.constant(i * tile_side + j)))
                            v.store(builder, value, v.offset(builder, place, n, v.VECTOR_BYTES))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return transform


def _kernel_after(winograd: Winograd) -> Any:
    """kernel(source, place_bytes, tiles, last, ends, target, row_bytes)"""
    side, tile_side, after = winograd.side, winograd.tile, _AFTER[winograd.side]
    channels, outputs = winograd.product.outputs, winograd.layer.outputs
    after_bytes, pixel_bytes = 4 * channels, 4 * outputs

    @intrinsic
    def transform(  # type: ignore[no-untyped-def]
        typing_context, source, place_bytes, count, last, ends, target, row_bytes
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, place_bytes, count, last, ends, target, row_bytes = arguments
            with cgutils.for_range(builder, count) as tile:
                x = v.smaller_int(builder, builder.mul(tile.index, v.constant(side)), last)
                of_tile = v.offset(builder, source, tile.index, after_bytes)
                to_tile = v.offset(builder, target, x, pixel_bytes)
                with cgutils.for_range(builder, v.constant(channels // v.LANES)) as vector:
                    at, end, to = (
                        v.offset(builder, address, vector.index, v.VECTOR_BYTES) for address in (of_tile, ends, to_tile)
                    )
                    bias, slope = v.load(builder, end), v.load(builder, v.offset(builder, end, 1, pixel_bytes))
                    columns = []
                    for j in range(tile_side):
                        places = [builder.mul(place_bytes, v.constant(i * tile_side + j)) for i in range(tile_side)]
                        columns.append(after(builder, [v.load(builder, builder.add(at, place)) for place in places]))
                    for i in range(side):
                        row = builder.add(to, builder.mul(row_bytes, v.constant(i)))
                        for k, value in enumerate(after(builder, [column[i] for column in columns])):
                            result = v.prelu(builder, builder.fadd(value, bias), slope)
                            v.store(builder, result, v.offset(builder, row, k, pixel_bytes))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    return transform


def _before_4(builder: Any, d: list[Any]) -> list[Any]:
    """Six values through the paper's Bᵀ."""
    even, odd = _plus(builder, d[4], -4, d[2]), _plus(builder, d[3], -4, d[1])
    far, near = builder.fsub(d[4], d[2]), builder.fsub(d[3], d[1])
    return [
        _plus(builder, _plus(builder, d[4], -5, d[2]), 4, d[0]),
        builder.fadd(even, odd),
        builder.fsub(even, odd),
        _plus(builder, far, 2, near),
        _plus(builder, far, -2, near),
        _plus(builder, _plus(builder, d[5], -5, d[3]), 4, d[1]),
    ]


def _after_4(builder: Any, m: list[Any]) -> list[Any]:
    """Six values through the paper's Aᵀ: four."""
    sum_one, difference_one = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
    sum_two, difference_two = builder.fadd(m[3], m[4]), builder.fsub(m[3], m[4])
    return [
        builder.fadd(builder.fadd(m[0], sum_one), sum_two),
        _plus(builder, difference_one, 2, difference_two),
        _plus(builder, sum_one, 4, sum_two),
        builder.fadd(_plus(builder, difference_one, 8, difference_two), m[5]),
    ]


def _before_3(builder: Any, d: list[Any]) -> list[Any]:
    """Five values through that of the points 0, 1, -1, 2."""
    near = builder.fsub(d[3], d[1])
    return [
        _plus(builder, near, 2, builder.fsub(d[0], d[2])),
        _plus(builder, builder.fsub(d[3], d[2]), -2, d[1]),
        _plus(builder, _plus(builder, d[3], -3, d[2]), 2, d[1]),
        near,
        _plus(builder, builder.fsub(d[4], d[2]), -2, near),
    ]


def _after_3(builder: Any, m: list[Any]) -> list[Any]:
    """Five values: three."""
    total, difference = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
    return [
        builder.fadd(builder.fadd(m[0], total), m[3]),
        _plus(builder, difference, 2, m[3]),
        builder.fadd(_plus(builder, total, 4, m[3]), m[4]),
    ]


def _plus(builder: Any, total: Any, factor: float, value: Any) -> Any:
    """total + factor · value."""
    return v.multiply_add(builder, total, value, ir.Constant(v.VECTOR, [float(factor)] * v.LANES))


# By side of a tile's results.
_BEFORE = {3: _before_3, 4: _before_4}
_AFTER = {3: _after_3, 4: _after_4}
