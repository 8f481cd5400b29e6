"""First stage: from images to squared candidate boxes, through PNet on tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from face_cascade.area import Int32, area_resize, area_windows
from face_cascade.boxes import by_score, cell_boxes, nms, refine, squared
from face_cascade.calls import Call, Flow, Limits, Together
from face_cascade.networks import PNET, PNET_STRIDE
from face_cascade.parameters import DetectionParameters
from face_cascade.tiles import Level, Piece, Sheet, cell_count, plan_tiles, pyramid_levels

Float32 = NDArray[np.float32]

NMS_WITHIN_LEVEL = 0.5
NMS_ACROSS_LEVELS = 0.7

# Before suppression a face answers in many cells: this many times the candidate limit are looked at, in a level and
# across levels. Suppression takes time by the square of it.
_CELLS_PER_CANDIDATE = 4


@dataclass(frozen=True)
class Source:
    """An image as the stages read it: integral image INT32 [H+1,W+1,3] and its request parameters."""

    sums: Int32
    parameters: DetectionParameters

    @property
    def height(self) -> int:
        return self.sums.shape[0] - 1

    @property
    def width(self) -> int:
        return self.sums.shape[1] - 1


@dataclass(frozen=True)
class Proposals:
    """Candidates of one image: squared boxes FP32 [N,4] by descending score; `dropped` fell to the limit."""

    boxes: Float32
    dropped: int


@dataclass(frozen=True)
class _Cells:
    """Cells of one level above the threshold: rows, columns, scores FP32 [N], regression FP32 [N,4]."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    scores: Float32
    regression: Float32


@dataclass(frozen=True)
class _Boxes:
    """Boxes FP32 [N,4] with scores [N] and regression [N,4]; `dropped` were left out to bound the work."""

    boxes: Float32
    scores: Float32
    regression: Float32
    dropped: int

    def take(self, rows: NDArray[np.intp]) -> "_Boxes":
        return _Boxes(self.boxes[rows], self.scores[rows], self.regression[rows], self.dropped)

    def likeliest(self, most: int) -> "_Boxes":
        """The `most` best by score, in the order in which they are."""
        if len(self.scores) <= most:
            return self
        rows = np.sort(by_score(self.scores)[:most])
        return replace(self.take(rows), dropped=self.dropped + len(self.scores) - most)


def propose(sources: Sequence[Source], limits: Limits) -> Flow[list[Proposals]]:
    """Runs PNet over the pyramids of all images together; one `Proposals` an image."""
    pyramids = [_pyramid(source) for source in sources]
    cells = iter((yield from _scan(sources, pyramids, limits)))
    by_image = [[(level, next(cells)) for level in pyramid] for pyramid in pyramids]
    found = yield Together("nms", [_suppress_image(of_image, limits.max_candidates) for of_image in by_image])
    return found


def _pyramid(source: Source) -> tuple[Level, ...]:
    parameters = source.parameters
    return pyramid_levels(source.height, source.width, parameters.min_face_size, parameters.factor)


def _scan(sources: Sequence[Source], pyramids: Sequence[Sequence[Level]], limits: Limits) -> Flow[list[list[_Cells]]]:
    """PNet on every level of every image, on end. A level's cells come in parts."""
    levels = [level for pyramid in pyramids for level in pyramid]
    sources = [source for source, pyramid in zip(sources, pyramids, strict=True) for _ in pyramid]
    batches = []
    for sheet in plan_tiles([tuple((level.height, level.width) for level in pyramid) for pyramid in pyramids]):
        for share in limits.shares(sheet.tile_count, limits.pnet_tiles(sheet.height, sheet.width)):
            batches.append(_scan_tiles(sheet, share, sources, levels))
    found: list[list[_Cells]] = [[] for _ in levels]
    for parts in (yield Together("pnet", batches)):
        for level, cells in parts:
            found[level].append(cells)
    return found


def _scan_tiles(
    sheet: Sheet, share: slice, sources: Sequence[Source], levels: Sequence[Level]
) -> Flow[list[tuple[int, _Cells]]]:
    """PNet on some tiles of a sheet, one batch; what each piece showed, with the number of its level."""
    pieces = sheet.in_tiles(share.start, share.stop)
    tiles = np.zeros((share.stop - share.start, 3, sheet.height, sheet.width), np.float32)
    for piece in pieces:
        _draw(tiles[piece.tile - share.start], piece, sources[piece.level], levels[piece.level])
    regression, probability = yield Call(PNET, tiles)
    found = []
    for piece in pieces:
        threshold = sources[piece.level].parameters.threshold_pnet
        tile = piece.tile - share.start
        found.append((piece.level, _cells_above(regression[tile], probability[tile], piece, threshold)))
    return found


def _draw(tile: Float32, piece: Piece, source: Source, level: Level) -> None:
    """Writes the piece of the resized image into its tile, FP32 [3,T,T]."""
    y0, y1 = area_windows(source.height, level.height)
    x0, x1 = area_windows(source.width, level.width)
    rows = slice(piece.level_top, piece.level_top + piece.height)
    columns = slice(piece.level_left, piece.level_left + piece.width)
    target = tile[
        :,
        piece.tile_top : piece.tile_top + piece.height,
        piece.tile_left : piece.tile_left + piece.width,
    ]
    area_resize(source.sums, y0[rows], y1[rows], x0[columns], x1[columns], target)


def _cells_above(regression: Float32, probability: Float32, piece: Piece, threshold: float) -> _Cells:
    """The piece's cells with at least this probability, in coordinates of the level's cells."""
    top, left = piece.tile_top // PNET_STRIDE, piece.tile_left // PNET_STRIDE
    rows = slice(top, top + cell_count(piece.height))
    columns = slice(left, left + cell_count(piece.width))
    scores = probability[rows, columns]
    r, c = np.nonzero(scores >= np.float32(threshold))
    return _Cells(
        r + piece.level_top // PNET_STRIDE,
        c + piece.level_left // PNET_STRIDE,
        scores[r, c],
        regression[:, rows, columns][:, r, c].T,
    )


def _in_row_major_order(parts: Sequence[_Cells]) -> _Cells:
    """One level's cells in the order in which a whole level would give them: scores tie, and NMS is stable."""
    rows = np.concatenate([part.rows for part in parts])
    columns = np.concatenate([part.columns for part in parts])
    order = np.lexsort((columns, rows))
    scores = np.concatenate([part.scores for part in parts])
    regression = np.concatenate([part.regression for part in parts])
    return _Cells(rows[order], columns[order], scores[order], regression[order])


def _suppress_level(level: Level, parts: Sequence[_Cells], most: int) -> _Boxes:
    """NMS within one level, of at most the `most` likeliest cells; row-major order stays."""
    cells = _in_row_major_order(parts)
    boxes = cell_boxes(cells.rows, cells.columns, level.scale)
    likeliest = _Boxes(boxes, cells.scores, cells.regression, 0).likeliest(most)
    return likeliest.take(np.sort(nms(likeliest.boxes, likeliest.scores, NMS_WITHIN_LEVEL)))


def _suppress_image(cells: Sequence[tuple[Level, list[_Cells]]], max_candidates: int) -> Flow[Proposals]:
    """NMS within each level of an image, then across; at most `max_candidates` remain, the likeliest."""
    yield from ()
    if not cells:
        return Proposals(np.empty((0, 4), np.float32), 0)
    most = _CELLS_PER_CANDIDATE * max_candidates
    levels = [_suppress_level(level, parts, most) for level, parts in cells]
    found = _Boxes(
        np.concatenate([level.boxes for level in levels]),
        np.concatenate([level.scores for level in levels]),
        np.concatenate([level.regression for level in levels]),
        sum(level.dropped for level in levels),
    ).likeliest(most)
    kept = nms(found.boxes, found.scores, NMS_ACROSS_LEVELS)
    dropped = found.dropped + max(len(kept) - max_candidates, 0)
    kept = kept[:max_candidates]
    return Proposals(squared(refine(found.boxes[kept], found.regression[kept], plus_one=False)), dropped)
