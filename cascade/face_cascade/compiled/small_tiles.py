"""Winograd's minimal filtering F(2×2, 3×3) of tiles that are never in memory: what its kernels have in common.

Sixteen products for four results instead of 36 (Lavin & Gray 2015, arXiv:1509.09308). Its transforms are sums and
differences alone, so it rounds about as plain sums do, 0.7 to 1.3 times as roughly with weights of any size: PNet's
regressions miss float64's by 6·10⁻⁸ with it, by 8·10⁻⁸ with plain sums, ours or torch's (root mean square, photos and
noise). So it takes their place everywhere.

Maps lie in planes, [channels,H,W]. Tiles of 4×4 values, two apart, are transformed for a vector of tiles at once.
"""

from typing import Any, TypeAlias

from llvmlite import ir
from numba.core import cgutils

from face_cascade import vectors as v

Values: TypeAlias = list[Any]

SIDE = 4
"""Values of a tile, along a side."""

PLACES = SIDE * SIDE

_NUMBERS = ir.VectorType(v.INT32, v.LANES)
_EVEN = ir.Constant(_NUMBERS, [2 * n for n in range(v.LANES)])
ODD = ir.Constant(_NUMBERS, [2 * n + 1 for n in range(v.LANES)])
"""Of each tile of a vector, where its second column of results lies."""


def memory(builder: Any, channels: int) -> Any:
    """On the stack, for the transformed values of a vector of tiles: its address."""
    return builder.ptrtoint(cgutils.alloca_once(builder, v.VECTOR, channels * PLACES), v.INT64)


def chunks(builder: Any, tiles: Any) -> Any:
    """A loop over vectors of tiles."""
    return cgutils.for_range(builder, builder.sdiv(builder.add(tiles, v.constant(v.LANES - 1)), v.constant(v.LANES)))


def transform(builder: Any, channels: int, source: Any, row_bytes: Any, plane_bytes: Any, target: Any) -> None:
    """A vector of tiles, whose first values are two apart from `source` on, to vectors by channel and place."""
    with cgutils.for_range(builder, v.constant(channels)) as channel:
        of_plane = builder.add(source, builder.mul(channel.index, plane_bytes))
        to_plane = v.offset(builder, target, channel.index, PLACES * v.VECTOR_BYTES)
        rows = []
        for y in range(SIDE):
            row = builder.add(of_plane, builder.mul(row_bytes, v.constant(y)))
            values = []
            for first in (0, 2 * 4):
                pair = [v.load(builder, v.offset(builder, row, 1, first + n * v.VECTOR_BYTES)) for n in range(2)]
                values += [builder.shuffle_vector(*pair, lanes) for lanes in (_EVEN, ODD)]
            rows.append(_before(builder, values))
        for x in range(SIDE):
            for y, value in enumerate(_before(builder, [row[x] for row in rows])):
                v.store(builder, value, v.offset(builder, to_plane, y * SIDE + x, v.VECTOR_BYTES))


def results(builder: Any, products: Any, biases: Values) -> list[list[Values]]:
    """Rows and columns of the 2×2 results, of things that are done together: each is a list with one value a thing.

    products(place, starts): sums over channels of a place of the tiles, from these values on. What goes into one result
    alone starts from all the others, which saves half of the sums behind the products.
    """

    def plus(values: Values, others: Values) -> Values:
        return [builder.fadd(*pair) for pair in zip(values, others, strict=True)]

    def minus(values: Values, others: Values) -> Values:
        return [builder.fsub(*pair) for pair in zip(values, others, strict=True)]

    def inner_column(x: int, starts: Values | None) -> list[Values]:
        one, other = products(SIDE + x, starts), products(2 * SIDE + x, None)
        return [products(x, plus(one, other)), products(3 * SIDE + x, minus(one, other))]

    def outer_column(x: int, inner: list[Values]) -> list[Values]:
        one, other = products(SIDE + x, None), products(2 * SIDE + x, None)
        above, below = plus(plus(one, other), inner[0]), plus(minus(one, other), inner[1])
        return [products(x, above), products(3 * SIDE + x, below)]

    # By the paper's Aᵀ for the points 0, 1, -1, the bias, which comes to the second column's, is in all results.
    one, other = inner_column(1, biases), inner_column(2, None)
    left = outer_column(0, [plus(*row) for row in zip(one, other, strict=True)])
    right = outer_column(3, [minus(*row) for row in zip(one, other, strict=True)])
    return [[left[y], right[y]] for y in range(2)]


def summed(builder: Any, total: Any, value: Any, weight: Any) -> Any:
    return builder.fmul(value, weight) if total is None else v.multiply_add(builder, total, value, weight)


def _before(builder: Any, d: Any) -> list[Any]:
    """Four values through the paper's Bᵀ, for the points 0, 1, -1."""
    return [builder.fsub(d[2], d[0]), builder.fadd(d[2], d[1]), builder.fsub(d[2], d[1]), builder.fsub(d[3], d[1])]
