"""First stage: from images to squared candidate boxes, through PNet on tiles."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_cascade.arrays import Arrays, Cells, Float32, Found, Image, Patch
from face_cascade.boxes import cell_boxes, refine, squared
from face_cascade.calls import Call, Flow, Limits, Together, runs
from face_cascade.networks import PNET
from face_cascade.parameters import DetectionParameters, TooManyCandidates
from face_cascade.suppression import nms, nms_within
from face_cascade.tiles import Level, Sheet, plan_pieces, plan_tiles, pyramid_levels

NMS_WITHIN_LEVEL = 0.5
NMS_ACROSS_LEVELS = 0.7


@dataclass(frozen=True)
class Source:
    """An image as the stages read it: the engine's handle, its size in pixels and its request parameters."""

    image: Image
    height: int
    width: int
    parameters: DetectionParameters


@dataclass(frozen=True)
class Proposals:
    """Candidates of one image: squared boxes FP32 [N,4] by descending score; `dropped` fell to the caller's
    `max_candidates`. There are none where there were too many: `refusal` says so."""

    boxes: Float32
    dropped: int = 0
    refusal: TooManyCandidates | None = None


@dataclass(frozen=True)
class _Cells:
    """Cells of levels: level, row and column INT32 [N], scores FP32 [N], regression FP32 [N,4]."""

    levels: NDArray[np.int32]
    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    scores: Float32
    regression: Float32

    @classmethod
    def of_patches(cls, levels: NDArray[np.int32], cells: Cells) -> "_Cells":
        """levels: that of each patch."""
        rows, columns = cells.rows.astype(np.int32), cells.columns.astype(np.int32)
        return cls(levels[cells.patches], rows, columns, cells.scores, cells.regression)

    @classmethod
    def joined(cls, parts: "Sequence[_Cells]") -> "_Cells":
        """Several on end."""
        none = np.empty(0, np.int32)
        parts = [cls(none, none, none, np.empty(0, np.float32), np.empty((0, 4), np.float32)), *parts]
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def take(self, rows: NDArray[Any] | slice) -> "_Cells":
        return _Cells(*(getattr(self, field.name)[rows] for field in fields(self)))


def propose(arrays: Arrays, sources: Sequence[Source], limits: Limits) -> Flow[list[Proposals]]:
    """Runs PNet over the pyramids of all images together; one `Proposals` an image."""
    pyramids = [_pyramid(source) for source in sources]
    cells, counts = yield from _scan(arrays, sources, pyramids, limits)
    bounds = list(accumulate(map(len, pyramids), initial=0))
    places = np.searchsorted(cells.levels, bounds)
    flows = []
    for n, (start, stop) in enumerate(pairwise(places)):
        of_image = cells.take(slice(start, stop))
        flows.append(_suppress_image(pyramids[n], bounds[n], of_image, int(counts[n]), sources[n].parameters, limits))
    found = yield Together("nms", flows)
    return found


def _pyramid(source: Source) -> tuple[Level, ...]:
    parameters = source.parameters
    return pyramid_levels(source.height, source.width, parameters.min_face_size, parameters.factor)


def _scan(
    arrays: Arrays, sources: Sequence[Source], pyramids: Sequence[Sequence[Level]], limits: Limits
) -> Flow[tuple[_Cells, NDArray[np.int64]]]:
    """PNet on every level of every image; levels count through those of all images. Also how many cells each image has:
    where these are too many, they are not kept."""
    levels = [level for pyramid in pyramids for level in pyramid]
    images = np.repeat(np.arange(len(pyramids)), [len(pyramid) for pyramid in pyramids])
    of_levels = [sources[image] for image in images]
    batches, pixels = [], []
    for sheet in _plan(pyramids, limits):
        for share in limits.shares(sheet.tile_count, limits.pnet_tiles(sheet.height, sheet.width)):
            batches.append(_scan_tiles(arrays, sheet, share, of_levels, levels))
            pixels.append((share.stop - share.start) * sheet.height * sheet.width)
    parts: list[_Cells] = []
    counts = np.zeros(len(sources), np.int64)
    for step in runs(pixels, limits.step_pixels):
        scanned = yield Together("pnet", batches[step])
        found = arrays.gather([handle for _, handle in scanned])
        for (numbers, _), part in zip(scanned, found, strict=True):
            parts.append(_Cells.of_patches(numbers, part))
            counts += np.bincount(images[parts[-1].levels], minlength=len(sources))
        if (counts > limits.max_cells).any():
            parts = [part.take(counts[images[part.levels]] <= limits.max_cells) for part in parts]
    return _in_row_major_order(_Cells.joined(parts)), counts


def _plan(pyramids: Sequence[Sequence[Level]], limits: Limits) -> tuple[Sheet, ...]:
    shapes = tuple(tuple((level.height, level.width) for level in pyramid) for pyramid in pyramids)
    return plan_tiles(shapes) if limits.packed else plan_pieces(shapes, limits.parallel)


def _scan_tiles(
    arrays: Arrays, sheet: Sheet, share: slice, sources: Sequence[Source], levels: Sequence[Level]
) -> Flow[tuple[NDArray[np.int32], Found]]:
    """PNet on some tiles of a sheet, one batch: the number of each patch's level, and what was found."""
    pieces = sheet.in_tiles(share.start, share.stop)
    patches = [Patch(sources[p.level].image, levels[p.level], p, p.tile - share.start) for p in pieces]
    thresholds = [sources[piece.level].parameters.threshold_pnet for piece in pieces]
    tiles = arrays.tiles(patches, share.stop - share.start, sheet.height, sheet.width)
    outputs = yield Call(PNET, tiles, min(thresholds))
    return np.array([piece.level for piece in pieces], np.int32), arrays.cells(outputs, patches, thresholds)


def _in_row_major_order(cells: _Cells) -> _Cells:
    """By level, row and column, whatever tiles showed them: scores tie, and NMS takes equals in that order."""
    height, width = cells.rows.max(initial=0) + 1, cells.columns.max(initial=0) + 1
    places = (cells.levels.astype(np.int64) * height + cells.rows) * width + cells.columns
    # Those of a patch are in order already, of which the stable sort makes use.
    return cells.take(np.argsort(places, kind="stable"))


def _suppress_image(
    levels: Sequence[Level],
    first_level: int,
    cells: _Cells,
    count: int,
    parameters: DetectionParameters,
    limits: Limits,
) -> Flow[Proposals]:
    """NMS within each level of an image, then across. count: of its cells, which are not here if there are too many."""
    yield from ()
    if count > limits.max_cells:
        return _refused(f"{count:,} places that may show a face", limits.max_cells)
    scales = np.array([level.scale for level in levels], np.float32)
    numbers = cells.levels - first_level
    boxes = cell_boxes(cells.rows, cells.columns, scales[numbers])
    kept = nms_within(numbers, boxes, cells.scores, NMS_WITHIN_LEVEL)
    kept = kept[nms(boxes[kept], cells.scores[kept], NMS_ACROSS_LEVELS)]
    most = parameters.max_candidates or len(kept)
    if min(most, len(kept)) > limits.max_candidates:
        return _refused(f"{len(kept):,} candidates for a face", limits.max_candidates)
    dropped = max(len(kept) - most, 0)
    kept = kept[:most]
    return Proposals(squared(refine(boxes[kept], cells.regression[kept], plus_one=False)), dropped)


def _refused(found: str, most: int) -> Proposals:
    return Proposals(
        np.empty((0, 4), np.float32),
        refusal=TooManyCandidates(
            f"image has {found}, must have at most {most:,}: set min_face_size or threshold_pnet higher"
        ),
    )
