"""One value a pixel of a map: the product of its channels with a vector of weights, a vector of pixels at a time."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from face_cascade import vectors as v
from face_cascade.machine_code import named

Float32 = NDArray[np.float32]

LEAST_WIDTH = v.LANES
"""Pixels of a row, at least."""


def packed(weights: NDArray[np.float64], bias: float) -> Float32:
    """What the kernel reads. weights [C], C of whole vectors."""
    return np.concatenate([weights, np.full(v.LANES, bias)]).astype(np.float32)


def on_rows(vectors: int) -> Any:
    """For numba code: f(source [h,w,C], packed, target [h,w]), C of so many vectors, w ≥ LEAST_WIDTH; the target's rows
    have no gaps."""
    kernel = _kernel(vectors)

    @numba.njit
    @named(vectors)
    def dots(source, packed, target):  # type: ignore[no-untyped-def]
        height, width = target.shape
        for row in range(height):
            kernel(
                source.ctypes.data + row * source.strides[0], packed.ctypes.data,
                target.ctypes.data + row * target.strides[0], width,
            )  # fmt: skip

    return dots


def _kernel(vectors: int) -> Any:
    """kernel(source, packed, target, width): of one row."""

    @intrinsic
    def dots(typing_context, source, packed, target, width):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, packed, target, width = arguments
            *weights, bias = (v.load(builder, v.offset(builder, packed, n, v.VECTOR_BYTES)) for n in range(vectors + 1))
            with v.for_blocks(builder, width, v.LANES) as first:
                of_block = v.offset(builder, source, first, vectors * v.VECTOR_BYTES)
                products = []
                for pixel in range(v.LANES):
                    at = [v.offset(builder, of_block, pixel * vectors + n, v.VECTOR_BYTES) for n in range(vectors)]
                    product = builder.fmul(v.load(builder, at[0]), weights[0])
                    for address, weight in zip(at[1:], weights[1:], strict=True):
                        product = v.multiply_add(builder, product, v.load(builder, address), weight)
                    products.append(product)
                result = builder.fadd(_sums(builder, products), bias)
                v.store(builder, result, v.offset(builder, target, first, 4))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), generate

    return dots


def _sums(builder: Any, parts: list[Any]) -> Any:
    """Of LANES vectors one with the sum of each."""
    # Neighbours within each four values, twice; then whole fours.
    sizes = [1, 1]
    while len(parts) > 1:
        size = sizes.pop() if sizes else 4
        even, odd = (ir.Constant(ir.VectorType(v.INT32, v.LANES), _places(size, n)) for n in (0, 1))
        parts = [
            builder.fadd(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _places(size: int, which: int) -> list[int]:
    """Of each two neighbouring runs of `size` values one: those of a vector, then those of another; within fours, where
    runs are shorter."""
    within = 4 if size < 4 else v.LANES
    return [
        vector + lane + run + n
        for lane in range(0, v.LANES, within)
        for vector in (0, v.LANES)
        for run in range(which * size, within, 2 * size)
        for n in range(size)
    ]
