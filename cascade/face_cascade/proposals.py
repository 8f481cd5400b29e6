"""First stage: from images to squared candidate boxes, through PNet on tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from face_cascade.arrays import Arrays, Cells, Float32, Found, Image, Patch
from face_cascade.boxes import by_score, cell_boxes, nms, nms_within, refine, squared
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
class _Cells:
    """Cells of levels, in row-major order of each level: level, row and column INTP [N], scores, regression [N,4]."""

    levels: NDArray[np.intp]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    scores: Float32
    regression: Float32

    def take(self, rows: NDArray[np.intp] | slice) -> "_Cells":
        return _Cells(*(getattr(self, field.name)[rows] for field in fields(self)))


def propose(arrays: Arrays, sources: Sequence[Source], limits: Limits) -> Flow[list[Proposals]]:
    """Runs PNet over the pyramids of all images together; one `Proposals` an image."""
    pyramids = [_pyramid(source) for source in sources]
    cells = yield from _scan(arrays, sources, pyramids, limits)
    bounds = list(accumulate(map(len, pyramids), initial=0))
    places = np.searchsorted(cells.levels, bounds)
    of_images = [cells.take(slice(start, stop)) for start, stop in pairwise(places)]
    parts = zip(pyramids, bounds[:-1], of_images, strict=True)
    found = yield Together("nms", [_suppress_image(*part, limits.max_candidates) for part in parts])
    return found


def _pyramid(source: Source) -> tuple[Level, ...]:
    parameters = source.parameters
    return pyramid_levels(source.height, source.width, parameters.min_face_size, parameters.factor)


def _scan(
    arrays: Arrays, sources: Sequence[Source], pyramids: Sequence[Sequence[Level]], limits: Limits
) -> Flow[_Cells]:
    """PNet on every level of every image; levels count through those of all images."""
    levels = [level for pyramid in pyramids for level in pyramid]
    sources = [source for source, pyramid in zip(sources, pyramids, strict=True) for _ in pyramid]
    batches = []
    for sheet in plan_tiles([tuple((level.height, level.width) for level in pyramid) for pyramid in pyramids]):
        for share in limits.shares(sheet.tile_count, limits.pnet_tiles(sheet.height, sheet.width)):
            batches.append(_scan_tiles(arrays, sheet, share, sources, levels))
    scanned = yield Together("pnet", batches)
    found = arrays.gather([handle for _, handle in scanned])
    return _in_row_major_order([numbers for numbers, _ in scanned], found)


def _scan_tiles(
    arrays: Arrays, sheet: Sheet, share: slice, sources: Sequence[Source], levels: Sequence[Level]
) -> Flow[tuple[NDArray[np.intp], Found]]:
    """PNet on some tiles of a sheet, one batch: the number of each patch's level, and what was found."""
    pieces = sheet.in_tiles(share.start, share.stop)
    patches = [Patch(sources[p.level].image, levels[p.level], p, p.tile - share.start) for p in pieces]
    outputs = yield Call(PNET, arrays.tiles(patches, share.stop - share.start, sheet.height, sheet.width))
    thresholds = [sources[piece.level].parameters.threshold_pnet for piece in pieces]
    return np.array([piece.level for piece in pieces], np.intp), arrays.cells(outputs, patches, thresholds)


def _in_row_major_order(levels: Sequence[NDArray[np.intp]], found: Sequence[Cells]) -> _Cells:
    """By level, row and column, whatever tiles showed them: scores tie, and NMS takes equals in that order.

    levels: of each patch that the cells speak of.
    """
    if not found:
        none = np.empty(0, np.intp)
        return _Cells(none, none, none, np.empty(0, np.float32), np.empty((0, 4), np.float32))
    level = np.concatenate([of_patch[cells.patches] for of_patch, cells in zip(levels, found, strict=True)])
    cells = Cells.joined(found)
    height, width = cells.rows.max(initial=0) + 1, cells.columns.max(initial=0) + 1
    order = np.argsort((level * height + cells.rows) * width + cells.columns)
    return _Cells(level, cells.rows, cells.columns, cells.scores, cells.regression).take(order)


def _suppress_image(levels: Sequence[Level], first_level: int, cells: _Cells, max_candidates: int) -> Flow[Proposals]:
    """NMS within each level of an image, then across; at most `max_candidates` remain, the likeliest."""
    yield from ()
    most = _CELLS_PER_CANDIDATE * max_candidates
    scales = np.array([level.scale for level in levels], np.float32)
    numbers = cells.levels - first_level
    boxes = cell_boxes(cells.rows, cells.columns, scales[numbers])
    kept, dropped = nms_within(numbers, boxes, cells.scores, NMS_WITHIN_LEVEL, most)
    if len(kept) > most:
        dropped += len(kept) - most
        kept = np.sort(kept[by_score(cells.scores[kept])[:most]])
    kept = kept[nms(boxes[kept], cells.scores[kept], NMS_ACROSS_LEVELS)]
    dropped += max(len(kept) - max_candidates, 0)
    kept = kept[:max_candidates]
    return Proposals(squared(refine(boxes[kept], cells.regression[kept], plus_one=False)), dropped)
