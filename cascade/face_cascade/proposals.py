"""First stage: from images to squared candidate boxes, through PNet on tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from face_cascade.arrays import Arrays, Cells, Float32, Image, Patch
from face_cascade.boxes import by_score, cell_boxes, nms, refine, squared
from face_cascade.calls import Call, Flow, Limits, Together
from face_cascade.networks import PNET
from face_cascade.parameters import DetectionParameters
from face_cascade.tiles import Level, Sheet, plan_tiles, pyramid_levels

NMS_WITHIN_LEVEL = 0.5
NMS_ACROSS_LEVELS = 0.7

# Before suppression a face answers in many cells: this many times the candidate limit are looked at, in a level and
# across levels. Suppression takes time by the square of it.
_CELLS_PER_CANDIDATE = 4


@dataclass(frozen=True)
class Source:
    """An image as the stages read it: the engine's handle, its size in pixels and its request parameters."""

    image: Image
    height: int
    width: int
    parameters: DetectionParameters


@dataclass(frozen=True)
class Proposals:
    """Candidates of one image: squared boxes FP32 [N,4] by descending score; `dropped` fell to the limit."""

    boxes: Float32
    dropped: int


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


def propose(arrays: Arrays, sources: Sequence[Source], limits: Limits) -> Flow[list[Proposals]]:
    """Runs PNet over the pyramids of all images together; one `Proposals` an image."""
    pyramids = [_pyramid(source) for source in sources]
    cells = iter((yield from _scan(arrays, sources, pyramids, limits)))
    by_image = [[(level, next(cells)) for level in pyramid] for pyramid in pyramids]
    found = yield Together("nms", [_suppress_image(of_image, limits.max_candidates) for of_image in by_image])
    return found


def _pyramid(source: Source) -> tuple[Level, ...]:
    parameters = source.parameters
    return pyramid_levels(source.height, source.width, parameters.min_face_size, parameters.factor)


def _scan(
    arrays: Arrays, sources: Sequence[Source], pyramids: Sequence[Sequence[Level]], limits: Limits
) -> Flow[list[list[Cells]]]:
    """PNet on every level of every image, on end. A level's cells come in parts."""
    levels = [level for pyramid in pyramids for level in pyramid]
    sources = [source for source, pyramid in zip(sources, pyramids, strict=True) for _ in pyramid]
    batches = []
    for sheet in plan_tiles([tuple((level.height, level.width) for level in pyramid) for pyramid in pyramids]):
        for share in limits.shares(sheet.tile_count, limits.pnet_tiles(sheet.height, sheet.width)):
            batches.append(_scan_tiles(arrays, sheet, share, sources, levels))
    found: list[list[Cells]] = [[] for _ in levels]
    for parts in (yield Together("pnet", batches)):
        for level, cells in parts:
            found[level].append(cells)
    return found


def _scan_tiles(
    arrays: Arrays, sheet: Sheet, share: slice, sources: Sequence[Source], levels: Sequence[Level]
) -> Flow[list[tuple[int, Cells]]]:
    """PNet on some tiles of a sheet, one batch; what each piece showed, with the number of its level."""
    pieces = sheet.in_tiles(share.start, share.stop)
    patches = [Patch(sources[p.level].image, levels[p.level], p, p.tile - share.start) for p in pieces]
    outputs = yield Call(PNET, arrays.tiles(patches, share.stop - share.start, sheet.height, sheet.width))
    thresholds = [sources[piece.level].parameters.threshold_pnet for piece in pieces]
    cells = arrays.cells(outputs, patches, thresholds)
    return [(piece.level, of_piece) for piece, of_piece in zip(pieces, cells, strict=True)]


def _in_row_major_order(parts: Sequence[Cells]) -> Cells:
    """One level's cells in the order in which a whole level would give them: scores tie, and NMS is stable."""
    rows = np.concatenate([part.rows for part in parts])
    columns = np.concatenate([part.columns for part in parts])
    order = np.lexsort((columns, rows))
    scores = np.concatenate([part.scores for part in parts])
    regression = np.concatenate([part.regression for part in parts])
    return Cells(rows[order], columns[order], scores[order], regression[order])


def _suppress_level(level: Level, parts: Sequence[Cells], most: int) -> _Boxes:
    """NMS within one level, of at most the `most` likeliest cells; row-major order stays."""
    cells = _in_row_major_order(parts)
    boxes = cell_boxes(cells.rows, cells.columns, level.scale)
    likeliest = _Boxes(boxes, cells.scores, cells.regression, 0).likeliest(most)
    return likeliest.take(np.sort(nms(likeliest.boxes, likeliest.scores, NMS_WITHIN_LEVEL)))


def _suppress_image(cells: Sequence[tuple[Level, list[Cells]]], max_candidates: int) -> Flow[Proposals]:
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
