"""From image sizes to tiles: pyramid levels, cut and packed into few fixed shapes, so that PNet batches them all."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from face_cascade.networks import PNET, PNET_STRIDE

# The image pyramid: which scales an image is looked at.


@dataclass(frozen=True)
class Level:
    """One resized copy of an image. `scale` is level pixels per image pixel."""

    scale: float
    height: int
    width: int


@lru_cache(maxsize=1024)
def pyramid_levels(height: int, width: int, min_face_size: float, factor: float) -> tuple[Level, ...]:
    """The levels of an image [height, width], largest first; empty where the image is smaller than a face.

    The first scale makes a face of `min_face_size` fill PNet's window; each next one is `factor` smaller, until
    the shorter side is less than the window (MTCNN, Zhang et al. 2016; sizes as in facenet-pytorch).
    """
    scale = PNET.side / min_face_size
    shorter = min(height, width) * scale
    levels = []
    while shorter >= PNET.side:
        levels.append(Level(scale, int(height * scale + 1), int(width * scale + 1)))
        scale *= factor
        shorter *= factor
    return tuple(levels)


# Packs rectangles into bins: maximal free rectangles, best short side.
#
# Written for tiles: every rectangle starts at an even row and column (PNet's stride), and one that must end at the
# bin's right edge (see `tiles`) can say so.


class Rect(NamedTuple):
    """Half-open: rows top…bottom, columns left…right."""

    top: int
    left: int
    bottom: int
    right: int


class Request(NamedTuple):
    """A rectangle to place. `at_right`: its right edge must lie on the bin's."""

    height: int
    width: int
    at_right: bool = False


class Position(NamedTuple):
    bin: int
    top: int
    left: int


class _Bin:
    def __init__(self, number: int, height: int, width: int, smallest: int) -> None:
        self.number = number
        self._width = width
        self._smallest = smallest
        self.free = [Rect(0, 0, height, width)]

    def best(self, request: Request) -> tuple[int, int, int] | None:
        """(waste, top, left) of the tightest free place, or None."""
        best = None
        for rect in self.free:
            left = self._width - request.width if request.at_right else rect.left
            spare_height = rect.bottom - rect.top - request.height
            spare_width = rect.right - left - request.width
            if left >= rect.left and spare_height >= 0 and spare_width >= 0:
                place = (min(spare_height, spare_width), rect.top, left)
                best = min(best, place) if best else place
        return best

    def take(self, used: Rect) -> None:
        """Removes `used` from the free rectangles, keeping the maximal rests."""
        untouched, rests = [], []
        for rect in self.free:
            overlaps = (
                used.top < rect.bottom and used.bottom > rect.top and used.left < rect.right and used.right > rect.left
            )
            if overlaps:
                rests += self._rests(rect, used)
            else:
                untouched.append(rect)
        rests = list(dict.fromkeys(rests))
        self.free = untouched + [
            rest for rest in rests if not any(other != rest and _inside(rest, other) for other in untouched + rests)
        ]

    def _rests(self, rect: Rect, used: Rect) -> list[Rect]:
        """Up to four maximal parts of `rect` beside `used`; starts stay even, slivers go."""
        parts = [
            Rect(rect.top, rect.left, used.top, rect.right),
            Rect(used.bottom + used.bottom % 2, rect.left, rect.bottom, rect.right),
            Rect(rect.top, rect.left, rect.bottom, used.left),
            Rect(rect.top, used.right + used.right % 2, rect.bottom, rect.right),
        ]
        return [
            part
            for part in parts
            if part.bottom - part.top >= self._smallest and part.right - part.left >= self._smallest
        ]


def _inside(inner: Rect, outer: Rect) -> bool:
    return (
        inner.top >= outer.top
        and inner.left >= outer.left
        and inner.bottom <= outer.bottom
        and inner.right <= outer.right
    )


def pack(requests: list[Request], height: int, width: int, smallest: int) -> tuple[list[Position], int]:
    """Places every request in bins [height, width]; each fits in one and has sides of at least `smallest`.

    Returns:
        One position a request, and the number of bins.
    """
    # Those bound to an edge first, then the large ones: the least movable find the most room.
    order = sorted(
        range(len(requests)),
        key=lambda i: (not requests[i].at_right, -requests[i].height * requests[i].width),
    )
    positions = [Position(0, 0, 0)] * len(requests)
    open_bins: list[_Bin] = []
    count = 0
    for i in order:
        request = requests[i]
        found = [(best, n) for n, bin_ in enumerate(open_bins) if (best := bin_.best(request))]
        if not found:
            bin_ = _Bin(count, height, width, smallest)
            first = bin_.best(request)
            if first is None:
                raise ValueError(f"{request} does not fit into a bin of {height}x{width}")
            found = [(first, len(open_bins))]
            open_bins.append(bin_)
            count += 1
        (_, top, left), n = min(found)
        bin_ = open_bins[n]
        bin_.take(Rect(top, left, top + request.height, left + request.width))
        if not bin_.free:
            open_bins.pop(n)
        positions[i] = Position(bin_.number, top, left)
    return positions, count


# Cuts pyramid levels into tiles of few fixed shapes, so that PNet batches whatever the sizes of the images.
#
# PNet's cell (r, c) sees rows 2r…2r+11 of its level. Pieces therefore start at even rows and columns and overlap by
# 10 pixels: every window lies whole in exactly one piece. Small pieces share a tile.
#
# PNet's pooling has `ceil_mode`: a level whose side is odd has one more cell at that edge, which looks at 11 pixels
# only. Inside a larger tile a neighbour would fill the twelfth. So these cells come from strips of 11 pixels that end
# where their tile ends: pooling is cut off there just as at the level's own edge.


_OVERLAP = PNET.side - PNET_STRIDE

STRIP = PNET.side - 1
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
