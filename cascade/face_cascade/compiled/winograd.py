"""A convolution of 3×3 by Winograd's minimal filtering: a quarter of the multiplications, and not the same bits.

F(4×4, 3×3) of Lavin & Gray 2015 (arXiv:1509.09308): tiles of 6×6 values are transformed, multiplied with the
transformed weights place by place, as 36 matrix products over channels, and transformed back to 4×4 results. Rounding
is some ten times that of plain sums, so what depends on the last digits asks `convolution.py`.
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

from face_cascade.compiled import convolution
from face_cascade.compiled import vectors as v
from face_cascade.compiled.convolution import Convolution
from face_cascade.machine_code import named

Float32 = NDArray[np.float32]

SIDE = 4
"""Results of a tile, along a side."""

_TILE = SIDE + 2
PLACES = _TILE * _TILE

# The paper's G; B and A are written out in `_before` and `_after`.
_OF_WEIGHTS = np.array(
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
) / 24  # fmt: skip


@dataclass(frozen=True)
class Winograd:
    """How a convolution of 3×3 with PReLU is done that way, over maps whose channels fill whole vectors.

    typical_width: of its output, in pixels; at least SIDE.
    """

    layer: Convolution

    @property
    def product(self) -> Convolution:
        """What happens at each place of the tiles: a matrix product, as a convolution of 1×1 over tiles."""
        layer = self.layer
        return Convolution(
            1, 1, layer.inputs, layer.outputs, typical_width=tiles(layer.typical_width), activation=False
        )

    def packed(self, weight: Float32, bias: Float32, slope: Float32) -> tuple[Float32, Float32]:
        """What the kernels read: of each place what `Convolution.packed` gives, [PLACES,…]; and [2,outputs]."""
        transformed = np.einsum("ia,ocab,jb->ijoc", _OF_WEIGHTS, weight.astype(np.float64), _OF_WEIGHTS)
        no_bias = np.zeros(self.layer.outputs, np.float32)
        places = transformed.astype(np.float32).reshape(PLACES, self.layer.outputs, self.layer.inputs, 1, 1)
        packed = np.stack([self.product.packed(place, no_bias, None) for place in places])
        return packed, np.stack([bias, slope]).astype(np.float32)

    def maps(self, width: int) -> tuple[Float32, Float32]:
        """Memory for the tiles of an output row of that width, before and after the products."""
        count = tiles(width)
        return (
            np.empty((PLACES, count, self.layer.inputs), np.float32),
            np.empty((PLACES, count, self.layer.outputs), np.float32),
        )


def tiles(width: int) -> int:
    """Tiles along a row of the output."""
    return -(-width // SIDE)


def on_tiles(winograd: Winograd) -> Any:
    """The convolution for numba code: f(source [6,w+2,C], packed, ends, before, after, target [4,w,C]); w ≥ SIDE.

    packed, ends: of `packed`. before, after: of `maps`.
    """
    product = convolution.kernel(winograd.product)
    transform, back = _kernel_before(winograd.layer.inputs), _kernel_after(winograd.layer.outputs)

    @numba.njit
    @named(winograd)
    def convolve(source, packed, ends, before, after, target):  # type: ignore[no-untyped-def]
        width = target.shape[1]
        # The last tile does some pixels again.
        count, last = (width + SIDE - 1) // SIDE, width - SIDE
        transform(source.ctypes.data, source.strides[0], count, last, before.ctypes.data, before.strides[0])
        for place in range(PLACES):
            product(
                before.ctypes.data + place * before.strides[0], 0, 4, 1, count,
                packed.ctypes.data + place * packed.strides[0], after.ctypes.data + place * after.strides[0], 0,
            )  # fmt: skip
        back(
            after.ctypes.data, after.strides[0], count, last, ends.ctypes.data, target.ctypes.data, target.strides[0]
        )  # fmt: skip

    return convolve


def _kernel_before(channels: int) -> Any:
    """kernel(source, row_bytes, tiles, last, target, place_bytes); last: pixel at which a tile begins at most."""
    pixel_bytes = 4 * channels

    @intrinsic
    def transform(typing_context, source, row_bytes, count, last, target, place_bytes):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, row_bytes, count, last, target, place_bytes = arguments
            with cgutils.for_range(builder, count) as tile:
                x = v.smaller_int(builder, builder.mul(tile.index, v.constant(SIDE)), last)
                of_tile = v.offset(builder, source, x, pixel_bytes)
                to = v.offset(builder, target, tile.index, pixel_bytes)
                for n in range(channels // v.LANES):
                    rows = []
                    for i in range(_TILE):
                        row = builder.add(of_tile, builder.mul(row_bytes, v.constant(i)))
                        at = [j * pixel_bytes + n * v.VECTOR_BYTES for j in range(_TILE)]
                        rows.append(_before(builder, [v.load(builder, v.offset(builder, row, 1, byte)) for byte in at]))
                    for j in range(_TILE):
                        for i, value in enumerate(_before(builder, [row[j] for row in rows])):
                            place = builder.add(to, builder.mul(place_bytes, v.constant(i * _TILE + j)))
                            v.store(builder, value, v.offset(builder, place, n, v.VECTOR_BYTES))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return transform


def _kernel_after(channels: int) -> Any:
    """kernel(source, place_bytes, tiles, last, ends, target, row_bytes)"""
    pixel_bytes = 4 * channels

    @intrinsic
    def transform(  # type: ignore[no-untyped-def]
        typing_context, source, place_bytes, count, last, ends, target, row_bytes
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, place_bytes, count, last, ends, target, row_bytes = arguments
            with cgutils.for_range(builder, count) as tile:
                x = v.smaller_int(builder, builder.mul(tile.index, v.constant(SIDE)), last)
                of_tile = v.offset(builder, source, tile.index, pixel_bytes)
                to_tile = v.offset(builder, target, x, pixel_bytes)
                with cgutils.for_range(builder, v.constant(channels // v.LANES)) as vector:
                    at, end, to = (
                        v.offset(builder, address, vector.index, v.VECTOR_BYTES) for address in (of_tile, ends, to_tile)
                    )
                    bias, slope = v.load(builder, end), v.load(builder, v.offset(builder, end, 1, pixel_bytes))
                    columns = []
                    for j in range(_TILE):
                        places = [builder.mul(place_bytes, v.constant(i * _TILE + j)) for i in range(_TILE)]
                        columns.append(_after(builder, [v.load(builder, builder.add(at, place)) for place in places]))
                    for i in range(SIDE):
                        row = builder.add(to, builder.mul(row_bytes, v.constant(i)))
                        for k, value in enumerate(_after(builder, [column[i] for column in columns])):
                            result = v.prelu(builder, builder.fadd(value, bias), slope)
                            v.store(builder, result, v.offset(builder, row, k, pixel_bytes))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), generate

    return transform


def _before(builder: Any, d: list[Any]) -> list[Any]:
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


def _after(builder: Any, m: list[Any]) -> list[Any]:
    """Six values through the paper's Aᵀ: four."""
    sum_one, difference_one = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
    sum_two, difference_two = builder.fadd(m[3], m[4]), builder.fsub(m[3], m[4])
    return [
        builder.fadd(builder.fadd(m[0], sum_one), sum_two),
        _plus(builder, difference_one, 2, difference_two),
        _plus(builder, sum_one, 4, sum_two),
        builder.fadd(_plus(builder, difference_one, 8, difference_two), m[5]),
    ]


def _plus(builder: Any, total: Any, factor: float, value: Any) -> Any:
    """total + factor · value."""
    return v.multiply_add(builder, total, value, ir.Constant(v.VECTOR, [float(factor)] * v.LANES))
