"""Largest value of a window, stride 2; the partial window at the far edge counts (Caffe's `ceil_mode`)."""

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from face_cascade import vectors as v


def kernel(window: int, vectors: int) -> Any:
    """Max-pooling as a function for numba code, over maps of `vectors` vectors a pixel:

    kernel(source, row_bytes, height, width, target, target_row_bytes, target_height, target_width)

    source, target: addresses of the maps; height, width: of the source. A window is cut at the source's far edges.
    """

    @intrinsic
    def pool(  # type: ignore[no-untyped-def]
        typing_context, source, row_bytes, height, width, target, target_row_bytes, target_height, target_width
    ):
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _generate(builder, window, vectors, *arguments)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), generate

    return pool


def _generate(
    builder: Any,
    window: int,
    vectors: int,
    source: Any,
    row_bytes: Any,
    height: Any,
    width: Any,
    target: Any,
    target_row_bytes: Any,
    target_height: Any,
    target_width: Any,
) -> None:
    pixel_bytes = vectors * v.VECTOR_BYTES

    def cut(first: Any, size: Any) -> list[Any]:
        """Indices of a window; those past the edge are the last one again, which changes no maximum."""
        last = builder.sub(size, v.constant(1))
        indices = [builder.add(builder.mul(first, v.constant(2)), v.constant(n)) for n in range(window)]
        return [v.smaller_int(builder, index, last) for index in indices]

    with cgutils.for_range(builder, target_height) as row:
        rows = [builder.add(source, builder.mul(index, row_bytes)) for index in cut(row.index, height)]
        target_row = builder.add(target, builder.mul(row.index, target_row_bytes))
        with cgutils.for_range(builder, target_width) as column:
            columns = cut(column.index, width)
            pixels = [v.offset(builder, start, index, pixel_bytes) for start in rows for index in columns]
            to = v.offset(builder, target_row, column.index, pixel_bytes)
            for n in range(vectors):
                values = [v.load(builder, v.offset(builder, pixel, n, v.VECTOR_BYTES)) for pixel in pixels]
                largest = values[0]
                for value in values[1:]:
                    largest = v.larger(builder, largest, value)
                v.store(builder, largest, v.offset(builder, to, n, v.VECTOR_BYTES))
