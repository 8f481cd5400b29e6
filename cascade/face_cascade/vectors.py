"""The processor's vectors, and the few instructions on them that the kernels are made of.

Kernels are numba intrinsics: LLVM instructions that numba compiles into the calling function. Addresses are INT64.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils

_HAS_AVX512 = binding.get_host_cpu_features().get("avx512f", False)

LANES = 16 if _HAS_AVX512 else 8
"""Values in a vector of float32."""

REGISTERS = 32 if _HAS_AVX512 else 16
"""Vectors that the processor holds at once."""

VECTOR_BYTES = 4 * LANES

FLOAT = ir.FloatType()
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)

_ALL_LANE_0 = ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES)

# One rounding instead of two: the processor's fused multiply-add.
_FUSED = ("contract",)


def whole_vectors(channels: int) -> int:
    """Vectors that hold so many channels."""
    return -(-channels // LANES)


def constant(value: int) -> ir.Constant:
    return ir.Constant(INT64, value)


@contextmanager
def for_blocks(builder: Any, count: Any, size: int) -> Iterator[Any]:
    """A loop over blocks of `size` of `count` ≥ `size` things: the first of each. The last block may do some again."""
    last = builder.sub(count, constant(size))
    blocks = builder.sdiv(builder.add(last, constant(2 * size - 1)), constant(size))
    with cgutils.for_range(builder, blocks) as block:
        yield smaller_int(builder, builder.mul(block.index, constant(size)), last)


def offset(builder: Any, address: Any, index: Any, size: int) -> Any:
    """address + index · size, sizes in bytes; `index` may be a Python int."""
    if isinstance(index, int):
        return builder.add(address, constant(index * size))
    return builder.add(address, builder.mul(index, constant(size)))


def load(builder: Any, address: Any) -> Any:
    """A vector. No alignment is asked for: on today's processors it makes next to no difference."""
    return builder.load(builder.inttoptr(address, VECTOR.as_pointer()), align=4)


def store(builder: Any, vector: Any, address: Any) -> None:
    builder.store(vector, builder.inttoptr(address, VECTOR.as_pointer()), align=4)


def load_repeated(builder: Any, address: Any) -> Any:
    """One value in every lane."""
    return repeated(builder, builder.load(builder.inttoptr(address, FLOAT.as_pointer()), align=4))


def repeated(builder: Any, value: Any) -> Any:
    """A value of any type in every lane."""
    undefined = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    single = builder.insert_element(undefined, value, ir.Constant(INT32, 0))
    return builder.shuffle_vector(single, undefined, _ALL_LANE_0)


def multiply_add(builder: Any, total: Any, a: Any, b: Any) -> Any:
    """total + a·b."""
    return builder.fadd(total, builder.fmul(a, b, flags=_FUSED), flags=_FUSED)


def larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def smaller_int(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def prelu(builder: Any, x: Any, slope: Any) -> Any:
    """x, or slope·x where x is negative."""
    zero = ir.Constant(VECTOR, [0.0] * LANES)
    return builder.select(builder.fcmp_ordered("<", x, zero), builder.fmul(x, slope), x)
