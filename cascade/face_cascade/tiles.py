"""From image sizes to tiles: pyramid levels, cut and packed into few fixed shapes, so that PNet batches them all.

PNet's cell (r, c) sees rows 2r…2r+11 of its level. Pieces therefore start at even rows and columns and overlap by 10
pixels: every window lies whole in exactly one piece. Small pieces share a tile.

PNet's pooling has `ceil_mode`: a level whose side is odd has one more cell at that edge, which looks at 11 pixels only.
Inside a larger tile a neighbour would fill the twelfth. So these cells come from strips of 11 pixels that end where
their tile ends: pooling is cut off there just as at the level's own edge.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from face_cascade.networks import PNET, PNET_STRIDE
from face_cascade.packing import Request, pack

TILE_SIZE = 256
"""Side of a square tile in pixels: of 96…384 the cheapest per pixel on a CPU's caches."""

STRIP = PNET.side - 1
"""Thickness of a strip in pixels: what a cell at an odd edge sees."""

_OVERLAP = PNET.side - PNET_STRIDE

# A tile of one image that is filled less is packed anew together with those of the other images of a batch: at 0.7 a
# batch needs hardly more tiles than if all its pieces were packed together, in a tenth of the time.
_WELL_FILLED = 0.7

# Plans of more pixels of levels are not kept: 45 megapixels of pictures at a minimal face of 20.
_KEPT_PIXELS = 1 << 25

# The most rows of a piece that is a tile of its own: 3 MB of pixels.
_HIGHEST = 1024

Shape: TypeAlias = tuple[int, int]
"""Height and width of a level."""


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


class Piece(NamedTuple):
    """A part of a level and where it lies. Offsets in pixels; `level` counts through the planned levels."""

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
    """Tiles of one shape, with their pieces sorted by tile; the first `well_filled` of them leave little room."""

    height: int
    width: int
    pieces: tuple[Piece, ...]
    tile_count: int
    well_filled: int

    def in_tiles(self, start: int, stop: int) -> tuple[Piece, ...]:
        """The pieces in tiles start…stop."""
        return tuple(piece for piece in self.pieces if start <= piece.tile < stop)


def plan_tiles(images: Sequence[tuple[Shape, ...]]) -> tuple[Sheet, ...]:
    """Lays the levels of images, each at least 12 pixels high and wide, into few tiles; a sheet a tile shape.

    images: the shapes of each one's levels; pieces count the levels of all images on end.

    An image's own plan is made once and kept. In a batch the well-filled tiles of each image stay as they are, and only
    what lies in the others is packed anew, for all images together: 2 to 5 ms for eight images.

    Kept are the plans of the last 64 sizes, 10 KB at 1920×1080, and of the last 16 batches of several images, for
    cameras whose pictures all have one size. No plan above `_KEPT_PIXELS`, so none takes more than some 300 KB and all
    together less than 25 MB.
    """
    pixels = sum(height * width for shapes in images for height, width in shapes)
    kept = pixels <= _KEPT_PIXELS
    if len(images) == 1:
        return _plan(images[0]) if kept else _plan.__wrapped__(images[0])
    return _plan_batch(tuple(images)) if kept else _plan_batch.__wrapped__(images)


@lru_cache(maxsize=64)
def plan_pieces(images: Sequence[tuple[Shape, ...]], workers: int) -> tuple[Sheet, ...]:
    """The same without packing, for a network that takes any shape at no cost: a sheet of one tile for each piece of a
    level, the largest first, so that the workers who take them one by one end together.

    A piece is at most a tile wide, which the caches ask for, and as high as the level, unless a worker's part of the
    whole is less.
    """
    pixels = sum(height * width for shapes in images for height, width in shapes)
    highest = min(max(pixels // (2 * workers) // TILE_SIZE, TILE_SIZE), _HIGHEST)
    levels = [shape for shapes in images for shape in shapes]
    parts = [
        (level, top, left, height, width)
        for level, shape in enumerate(levels)
        for top, height in cut_evenly(shape[0], highest)
        for left, width in cut_evenly(shape[1], TILE_SIZE)
    ]
    parts.sort(key=lambda part: -part[3] * part[4])
    return tuple(Sheet(part[3], part[4], (Piece(*part, 0, 0, 0),), 1, 1) for part in parts)


def cut_evenly(size: int, longest: int) -> list[tuple[int, int]]:
    """(start, length) of the fewest pieces along a side, of about equal lengths; their cells together are the side's,
    each once."""
    # A side that is odd has its last pixel in the last piece.
    steps = (size - _OVERLAP) // PNET_STRIDE
    count = -(-steps // ((longest - _OVERLAP) // PNET_STRIDE))
    starts = [PNET_STRIDE * (steps * n // count) for n in range(count)]
    ends = [start + _OVERLAP for start in starts[1:]] + [size]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


@lru_cache(maxsize=16)
def _plan_batch(images: Sequence[tuple[Shape, ...]]) -> tuple[Sheet, ...]:
    plans = [plan_tiles([shapes]) for shapes in images]
    first_levels = list(accumulate((len(shapes) for shapes in images), initial=0))
    return tuple(_joined(sheets, first_levels) for sheets in zip(*plans, strict=True))


@lru_cache(maxsize=64)
def _plan(shapes: tuple[Shape, ...]) -> tuple[Sheet, ...]:
    """The levels of one image."""
    sheets = []
    for height, width, cut_level in _TILES:
        parts = [(level, *part) for level, shape in enumerate(shapes) for part in cut_level(*shape)]
        pieces, count = _packed(parts, height, width)
        filled = [0] * count
        for piece in pieces:
            filled[piece.tile] += piece.height * piece.width
        # The fullest first.
        order = sorted(range(count), key=lambda tile: -filled[tile])
        number = {tile: n for n, tile in enumerate(order)}
        renumbered = _sorted(piece._replace(tile=number[piece.tile]) for piece in pieces)
        well_filled = sum(area >= _WELL_FILLED * height * width for area in filled)
        sheets.append(Sheet(height, width, renumbered, count, well_filled))
    return tuple(sheets)


def _joined(sheets: Sequence[Sheet], first_levels: Sequence[int]) -> Sheet:
    """Sheets of one tile shape, each of an image whose levels count from first_levels on, as one."""
    height, width = sheets[0].height, sheets[0].width
    settled, loose = [], []
    count = 0
    for sheet, first_level in zip(sheets, first_levels, strict=False):
        for level, top, left, piece_height, piece_width, tile, tile_top, tile_left in sheet.pieces:
            part = (level + first_level, top, left, piece_height, piece_width)
            if tile < sheet.well_filled:
                settled.append(Piece(*part, tile + count, tile_top, tile_left))
            else:
                loose.append(part)
        count += sheet.well_filled
    packed, more = _packed(loose, height, width, count)
    return Sheet(height, width, (*settled, *_sorted(packed)), count + more, count)


def _packed(
    parts: Sequence[tuple[int, int, int, int, int]], height: int, width: int, first_tile: int = 0
) -> tuple[list[Piece], int]:
    """Parts (level, top, left, height, width) in tiles [height, width] from first_tile on, and how many tiles."""
    positions, count = pack([Request(h, w, at_right=w % 2 == 1) for *_, h, w in parts], height, width, STRIP)
    pieces = [
        Piece(*part, first_tile + tile, top, left) for part, (tile, top, left) in zip(parts, positions, strict=True)
    ]
    return pieces, count


def _sorted(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    return tuple(sorted(pieces, key=lambda piece: piece.tile))


def cell_count(size: int) -> int:
    """PNet's cells along a side of `size` pixels: ⌈(size−2)/2⌉−4."""
    return max((size - 1) // 2 - 4, 0)


Part: TypeAlias = tuple[int, int, int, int]
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


_TILES: tuple[tuple[int, int, Callable[[int, int], list[Part]]], ...] = (
    (TILE_SIZE, TILE_SIZE, _squares),
    (STRIP, TILE_SIZE + 1, _bottom_strips),
    (TILE_SIZE, STRIP, _right_strips),
)

TILE_SHAPES = tuple((height, width) for height, width, _ in _TILES)
"""(height, width) of every shape that PNet is asked with."""
