"""Cuts pyramid levels into tiles of few fixed shapes, so that PNet batches whatever the sizes of the images.

PNet's cell (r, c) sees rows 2r…2r+11 of its level. Pieces therefore start at even rows and columns and overlap by
10 pixels: every window lies whole in exactly one piece. Small pieces share a tile.

PNet's pooling has `ceil_mode`: a level whose side is odd has one more cell at that edge, which looks at 11 pixels
only. Inside a larger tile a neighbour would fill the twelfth. So these cells come from strips of 11 pixels that end
where their tile ends: pooling is cut off there just as at the level's own edge.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from face_cascade.networks import PNET_STRIDE, PNET_WINDOW
from face_cascade.packing import Request, pack

_OVERLAP = PNET_WINDOW - PNET_STRIDE

STRIP = PNET_WINDOW - 1
"""Thickness of a strip in pixels: what a cell at an odd edge sees."""

TILE_SIZE = 256
"""Side of a square tile in pixels: of 96…384 the cheapest per pixel on a CPU's caches."""


def cell_count(size: int) -> int:
    """PNet's cells along a side of `size` pixels: ⌈(size−2)/2⌉−4."""
    return max((size - 1) // 2 - 4, 0)


@dataclass(frozen=True)
class Piece:
    """A part of a level and where it lies. Offsets in pixels; `level` indexes the planned levels."""

    level: int
    level_top: int
    level_left: int
    height: int
    width: int
    tile: int
    tile_top: int
    tile_left: int


@dataclass(frozen=True)
class Sheet:
    """Tiles of one shape, with their pieces sorted by tile."""

    height: int
    width: int
    pieces: tuple[Piece, ...]
    tile_count: int

    def in_tiles(self, start: int, stop: int) -> tuple[Piece, ...]:
        """The pieces in tiles start…stop."""
        return tuple(piece for piece in self.pieces if start <= piece.tile < stop)


Part = tuple[int, int, int, int]
"""top, left, height, width in a level."""


def cut(size: int, longest: int = TILE_SIZE) -> list[tuple[int, int]]:
    """(start, length) of the pieces along a side; their cells together are the side's, each once."""
    pieces = []
    start = 0
    while size - start > longest:
        pieces.append((start, TILE_SIZE))
        start += TILE_SIZE - _OVERLAP
    return [*pieces, (start, size - start)]


def _squares(height: int, width: int) -> list[Part]:
    """The cells that see 12 by 12 pixels: pieces of even size."""
    return [
        (top, left, piece_height, piece_width)
        for top, piece_height in cut(height - height % 2)
        for left, piece_width in cut(width - width % 2)
    ]


def _bottom_strips(height: int, width: int) -> list[Part]:
    """The last row of cells of an odd height, its partial corner cell included."""
    if height % 2 == 0:
        return []
    # Only a strip that ends with the level is odd; it may be one pixel longer than the others.
    return [(height - STRIP, left, STRIP, length) for left, length in cut(width, TILE_SIZE + width % 2)]


def _right_strips(height: int, width: int) -> list[Part]:
    """The last column of cells of an odd width, without the corner."""
    if width % 2 == 0:
        return []
    return [(top, width - STRIP, length, STRIP) for top, length in cut(height - height % 2)]


_SHAPES: tuple[tuple[int, int, Callable[[int, int], list[Part]]], ...] = (
    (TILE_SIZE, TILE_SIZE, _squares),
    (STRIP, TILE_SIZE + 1, _bottom_strips),
    (TILE_SIZE, STRIP, _right_strips),
)

TILE_SHAPES = tuple((height, width) for height, width, _ in _SHAPES)
"""(height, width) of every shape that PNet is asked with."""


@lru_cache(maxsize=512)
def plan_tiles(shapes: tuple[tuple[int, int], ...]) -> tuple[Sheet, ...]:
    """Lays levels of the given (height, width), each at least 12, into as few tiles as packing finds."""
    sheets = []
    for tile_height, tile_width, cut_level in _SHAPES:
        parts = [(level, *part) for level, (h, w) in enumerate(shapes) for part in cut_level(h, w)]
        requests = [Request(h, w, at_right=w % 2 == 1) for _, _, _, h, w in parts]
        positions, count = pack(requests, tile_height, tile_width, STRIP)
        pieces = [Piece(*part, *position) for part, position in zip(parts, positions, strict=True)]
        pieces.sort(key=lambda piece: piece.tile)
        sheets.append(Sheet(tile_height, tile_width, tuple(pieces), count))
    return tuple(sheets)
