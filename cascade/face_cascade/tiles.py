"""Cuts pyramid levels into tiles of one size, so that PNet batches whatever the sizes of the images.

PNet's cell (r, c) sees rows 2r…2r+11 of its level. Pieces therefore start at even rows and columns and overlap by
10 pixels: every window lies whole in exactly one piece. Small pieces share a tile.

PNet's pooling has `ceil_mode`: a level whose side is odd has one more cell at that edge, which looks at 11 pixels
only. A neighbour in the same tile would fill the twelfth. So tiles have an odd side, and a piece with such an edge
lies with it on the tile's own edge, where pooling is cut off just as at the level's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from face_cascade.networks import PNET_STRIDE, PNET_WINDOW
from face_cascade.packing import Request, pack

TILE_SIZE = 257
"""Side of a tile in pixels. Odd (see above); of 129…385 the cheapest per pixel on a CPU's caches."""

_OVERLAP = PNET_WINDOW - PNET_STRIDE
_STEP = TILE_SIZE - 1 - _OVERLAP


def cell_count(size: int) -> int:
    """PNet's cells along a side of `size` pixels: ⌈(size−2)/2⌉−4."""
    return max((size - 1) // 2 - 4, 0)


TILE_CELLS = cell_count(TILE_SIZE)


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
class TilePlan:
    """Pieces sorted by tile; `first[t]…first[t+1]` are those of tile t."""

    pieces: tuple[Piece, ...]
    first: tuple[int, ...]

    @property
    def tile_count(self) -> int:
        return len(self.first) - 1

    def in_tiles(self, start: int, stop: int) -> tuple[Piece, ...]:
        """The pieces in tiles start…stop."""
        return self.pieces[self.first[start] : self.first[stop]]


def cut(size: int) -> list[tuple[int, int]]:
    """(start, length) of the pieces along a side; their cells together are the side's, each once."""
    pieces = []
    start = 0
    # The last piece may take a whole odd tile; the others use its even part.
    while size - start > TILE_SIZE - 1 + size % 2:
        pieces.append((start, TILE_SIZE - 1))
        start += _STEP
    return [*pieces, (start, size - start)]


@lru_cache(maxsize=512)
def plan_tiles(shapes: tuple[tuple[int, int], ...]) -> TilePlan:
    """Lays levels of the given (height, width), each at least 12, into as few tiles as packing finds."""
    parts = [
        (level, top, left, height, width)
        for level, (level_height, level_width) in enumerate(shapes)
        for top, height in cut(level_height)
        for left, width in cut(level_width)
    ]
    # Only a level's own far edge is odd: the pieces before it have the tile's even part.
    requests = [Request(h, w, at_bottom=h % 2 == 1, at_right=w % 2 == 1) for _, _, _, h, w in parts]
    positions, count = pack(requests, TILE_SIZE)
    pieces = sorted(
        (Piece(*part, *position) for part, position in zip(parts, positions, strict=True)),
        key=lambda piece: (piece.tile, piece.level, piece.level_top, piece.level_left),
    )
    return TilePlan(tuple(pieces), _first_of_each(pieces, count))


def _first_of_each(pieces: Sequence[Piece], count: int) -> tuple[int, ...]:
    first = [0] * (count + 1)
    for piece in pieces:
        first[piece.tile + 1] += 1
    for tile in range(count):
        first[tile + 1] += first[tile]
    return tuple(first)
