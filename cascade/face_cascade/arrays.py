"""The seam between the cascade's flow and whoever holds its pixels and maps: an engine.

Images, tiles, maps and crops are touched by the methods of `Arrays`, and by running a network, which is a `Call` that
whoever drives the flow answers. The flow gets handles from them, which it hands on and never looks into,
and small NumPy arrays: cells, scores, regressions. Boxes and their suppression are the flow's own, in NumPy.

So an engine may keep everything that is large where it computes: with one on a GPU, images, tiles, maps and crops never
leave the device. `Call.batch` is then a handle of that engine, so are the outputs that answer it, and the driver must
take them. `numpy_arrays` is the engine of a CPU, whose handles are NumPy arrays.

Each method takes all that is wanted of a batch at once, so that an engine may do it in one step, and none keeps state:
a driver may run flows in several threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from face_cascade.tiles import Level, Piece

Image: TypeAlias = Any
"""Handle: an image, ready to be averaged over any windows."""

Batch: TypeAlias = Any
"""Handle: FP32 [N,3,H,W], pixel values 0…255, what a network is asked with. `len` of it is N, which metrics count."""

Output: TypeAlias = Any
"""Handle: what a network answered with, FP32, shaped as `networks` says."""

Float32: TypeAlias = NDArray[np.float32]


class Patch(NamedTuple):
    """A piece of a level of an image, in a tile of a batch: the one with the number `tile`, not `piece.tile`."""

    image: Image
    level: Level
    piece: Piece
    tile: int


@dataclass(frozen=True)
class Cells:
    """Cells of PNet: the number of the patch that shows each, its row and column in the level, INTP [N], its score FP32
    [N] and regression FP32 [N,4]."""

    patches: NDArray[np.intp]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    scores: Float32
    regression: Float32

    @classmethod
    def joined(cls, parts: "Sequence[Cells]") -> "Cells":
        """Several on end, at least one."""
        parts = [part for part in parts if len(part.rows)] or parts[:1]
        if len(parts) == 1:
            return parts[0]
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


Found: TypeAlias = Any
"""Handle: cells that are not on the host yet."""


class Arrays(Protocol):
    """What the flow asks of an engine.

    An average over a window of pixels is exact: the sum, a whole number, in float32, divided by the window's height,
    then by its width. Windows of a resize from n to m pixels are ⌊i·n/m⌋…⌈(i+1)·n/m⌉, end exclusive.
    """

    def image(self, pixels: NDArray[np.uint8], turn: int = 0) -> Image:
        """Takes an image in: RGB UINT8 [H,W,3] from the host, turned by `turn` quarter turns as `np.rot90` does it."""

    def tiles(self, patches: Sequence[Patch], count: int, height: int, width: int) -> Batch:
        """Draws patches into `count` tiles FP32 [3,height,width] that are zero elsewhere.

        A patch shows rows level_top… and columns level_left… of its image, resized to the level's size.
        """

    def cells(self, outputs: Sequence[Output], patches: Sequence[Patch], thresholds: Sequence[float]) -> Found:
        """The cells whose probability is at least the threshold of their patch, in any order.

        outputs: PNet's for a batch of tiles: regression FP32 [T,4,h,w], probability FP32 [T,h,w]. A patch's own cells
        begin at half of its place in the tile; there are `tiles.cell_count` of its sides.
        """

    def gather(self, found: Sequence[Found]) -> list[Cells]:
        """What several calls of `cells` have found, on the host: waited for once."""

    def crops(self, windows: Sequence[tuple[Image, NDArray[np.int32]]], side: int) -> Batch:
        """Windows of images, INT32 [N,4] each, resized to FP32 [3,side,side], on end.

        A window is x1,y1,x2,y2 in pixels of its image, end exclusive, inside of it and not empty.
        """

    def rows(self, outputs: Sequence[Output]) -> tuple[Float32, ...]:
        """Outputs of RNet or ONet, one row a crop, on the host."""
