"""Averages over windows of an integral image, a vector of them at a time.

The three sums of a pixel lie side by side, so one load of four values has them all; what four such loads leave of a
window is turned from a pixel a vector into a colour a vector, and divided there.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from face_cascade import vectors as v

_NUMBERS = ir.VectorType(v.INT32, v.LANES)
_PIXEL = ir.VectorType(v.INT32, 4)
_PIXEL_BYTES = 12

# Pixels of a vector of four values each: LANES / 4 of them lie LANES / 4 apart.
_PARTS = v.LANES // 4

LANES = v.LANES
"""Averages along a row that are made at a time; a row has at least as many."""


@numba.njit
def average_rows(sums, y0, y1, x0, x1, out):  # type: ignore[no-untyped-def]
    """Averages of INT32 `sums` [H+1,W+1,3] over rows y0[i]…y1[i] and columns x0[j]…x1[j], ends exclusive, as FP32 `out`
    [3,h,w], w ≥ LANES, whose rows are without gaps.

    Reads one value behind the last of the sums. Whoever calls it must keep all arrays: they are known by address only.
    """
    row, plane = sums.strides[0], out.strides[0]
    for i in range(len(y0)):
        _average_row(
            sums.ctypes.data + y0[i] * row, sums.ctypes.data + y1[i] * row, y1[i] - y0[i],
            x0.ctypes.data, x1.ctypes.data, len(x0), out.ctypes.data + i * out.strides[1], plane,
        )  # fmt: skip


@intrinsic
def _average_row(  # type: ignore[no-untyped-def]
    typing_context, top, bottom, height, lefts, rights, width, target, plane_bytes
):
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        top, bottom, height, lefts, rights, width, target, plane_bytes = arguments
        heights = _repeated(builder, builder.sitofp(height, v.FLOAT))
        with v.for_blocks(builder, width, v.LANES) as first:
            columns = [v.offset(builder, address, first, 4) for address in (lefts, rights)]
            widths = builder.sub(*(_load(builder, address, _NUMBERS) for address in reversed(columns)))
            widths = builder.sitofp(widths, v.VECTOR)
            to = v.offset(builder, target, first, 4)
            for color, totals in enumerate(_totals(builder, top, bottom, *columns)):
                # Two divisions, as torch has it: the bits are those of a division by the height, then by the width.
                average = builder.fdiv(builder.fdiv(builder.uitofp(totals, v.VECTOR), heights), widths)
                v.store(builder, average, builder.add(to, builder.mul(plane_bytes, v.constant(color))))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), generate


def _totals(builder: Any, top: Any, bottom: Any, lefts: Any, rights: Any) -> list[Any]:
    """What the windows of LANES columns sum up to: a vector for each of the three colours."""
    offsets = [[_byte_offset(builder, address, n) for n in range(LANES)] for address in (lefts, rights)]
    # Vector k has pixels k, k + 4, …: so their places are right after two rounds of interleaving in fours.
    pixels = []
    for k in range(4):
        corners = [
            _joined(builder, [_load(builder, builder.add(row, side[k + 4 * part]), _PIXEL) for part in range(_PARTS)])
            for row in (bottom, top)
            for side in offsets
        ]
        bottom_left, bottom_right, top_left, top_right = corners
        pixels.append(builder.sub(builder.sub(bottom_right, bottom_left), builder.sub(top_right, top_left)))
    halves = pixels[:2], pixels[2:]
    reds_and_greens = [_interleaved(builder, pair, (0, 1)) for pair in halves]
    blues = [_interleaved(builder, pair, (2, 3)) for pair in halves]
    return [
        _pairs(builder, reds_and_greens, 0),
        _pairs(builder, reds_and_greens, 2),
        _pairs(builder, blues, 0),
    ]


def _byte_offset(builder: Any, columns: Any, index: int) -> Any:
    column = builder.sext(_load(builder, v.offset(builder, columns, index, 4), v.INT32), v.INT64)
    return builder.mul(column, v.constant(_PIXEL_BYTES))


def _joined(builder: Any, parts: list[Any]) -> Any:
    """Vectors on end, as one."""
    while len(parts) > 1:
        both = ir.Constant(ir.VectorType(v.INT32, 2 * parts[0].type.count), list(range(2 * parts[0].type.count)))
        parts = [builder.shuffle_vector(a, b, both) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _interleaved(builder: Any, vectors: list[Any], places: tuple[int, int]) -> Any:
    """Of each four values of two vectors those at two places, in turns: a0 b0 a1 b1."""
    lanes = [n + place + vector for n in range(0, LANES, 4) for place in places for vector in (0, LANES)]
    return builder.shuffle_vector(*vectors, ir.Constant(_NUMBERS, lanes))


def _pairs(builder: Any, vectors: list[Any], first: int) -> Any:
    """Of each four values of two vectors two neighbours: those of one, then those of the other."""
    lanes = [n + first + place + vector for n in range(0, LANES, 4) for vector in (0, LANES) for place in (0, 1)]
    return builder.shuffle_vector(*vectors, ir.Constant(_NUMBERS, lanes))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=4)


def _repeated(builder: Any, value: Any) -> Any:
    single = builder.insert_element(ir.Constant(v.VECTOR, ir.Undefined), value, ir.Constant(v.INT32, 0))
    return builder.shuffle_vector(single, single, ir.Constant(_NUMBERS, [0] * LANES))
