"""The engine of a CPU whose PNet is compiled.

PNet draws its tiles itself, row by row, and answers with the cells that are looked at: neither tiles nor maps are ever
written to memory, and a tile is one call of compiled code, without the interpreter's lock.
"""

from collections.abc import Sequence

import numpy as np

from face_cascade.arrays import Batch, Cells, Output, Patch
from face_cascade.compiled.pnet import View
from face_cascade.networks import PNET_STRIDE
from face_cascade.numpy_arrays import NumpyArrays, windows_of


class CompiledArrays(NumpyArrays):
    """See `arrays.Arrays`. For tiles that one piece fills (`Limits.packed`): a batch for PNet is a `View`, and its
    outputs are `LikelyCells`."""

    def tiles(self, patches: Sequence[Patch], count: int, height: int, width: int) -> Batch:
        (patch,) = patches
        assert (count, height, width) == (1, patch.piece.height, patch.piece.width), patch
        return View(patch.image, *windows_of(patch))

    def cells(self, outputs: Sequence[Output], patches: Sequence[Patch], thresholds: Sequence[float]) -> Cells:
        ((_, _, piece, _),), (threshold,) = patches, thresholds
        rows, columns, scores, regression = outputs
        assert (scores >= np.float32(threshold)).all(), "PNet was called with another one"
        top, left = piece.level_top // PNET_STRIDE, piece.level_left // PNET_STRIDE
        return Cells(np.zeros(len(rows), np.intp), rows + top, columns + left, scores, regression)


COMPILED_ARRAYS = CompiledArrays()
