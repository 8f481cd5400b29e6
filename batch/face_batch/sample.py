"""A sheet to look at: faces at random, the least likely ones, and what could not be read."""

import heapq
import random
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_batch import schema
from face_batch.manifest import Run, Target
from face_batch.reading import NotRead, Reader
from face_batch.sources import VIDEO, Item
from face_batch.videos import frames
from face_client.errors import FaceError
from face_pictures.decoding import decode_image
from face_tools.drawing import SIDE, Section, Tile, contact_sheet, load_font

Row: TypeAlias = dict[str, Any]
Pixels: TypeAlias = NDArray[np.uint8]

# Around a box, in sides of it.
_MARGIN = 0.35
# Of a sentence in place of a face.
_LETTERS, _LINES, _FONT = 16, 7, 10
_TILE, _INK = (226, 226, 220), (30, 35, 40)
_LIGHT = ["path", "frame", "face", "status", "error", "probability", "box"]


@dataclass(frozen=True)
class Choice:
    """Rows of the run's tables, those of faces with their boxes."""

    faces: Sequence[Row]
    unlikely: Sequence[Row]
    errors: Sequence[Row]


def choose(target: Target, run: Run, count: int, seed: int) -> Choice:
    """So many of each kind, in one walk through the shards that holds no more than these.

    Of a million faces each has the same chance: every one draws a number, and the lowest stay.
    """
    draw = random.Random(seed)
    faces: list[tuple[float, int, Row]] = []
    unlikely: list[tuple[float, int, Row]] = []
    errors: list[tuple[float, int, Row]] = []
    columns = _LIGHT + (["crop"] if run.crops else [])
    serial = 0
    for number in range(run.shards):
        if target.shard(number).info() is None:
            continue
        for row in target.read(number, columns).to_pylist():
            serial += 1
            if row["face"] is not None:
                _keep(faces, count, draw.random(), serial, row)
                _keep(unlikely, count, row["probability"], serial, row)
            elif row["status"] != schema.OK:
                _keep(errors, count, draw.random(), serial, row)
    return Choice(
        *([row for _, _, row in sorted(kept, key=lambda each: -each[0])] for kept in (faces, unlikely, errors))
    )


def _keep(kept: list[tuple[float, int, Row]], count: int, rank: float, serial: int, row: Row) -> None:
    """The lowest ranks stay; the heap's first is the highest of them."""
    entry = (-rank, serial, row)
    if len(kept) < count:
        heapq.heappush(kept, entry)
    elif entry > kept[0]:
        heapq.heapreplace(kept, entry)


def draw_sheet(target: Target, run: Run, count: int, seed: int) -> Image.Image:
    """The sheet. Faces are cut from their pictures, as these are now."""
    choice = choose(target, run, count, seed)
    cut = _Cutter(target, run)
    bands = [
        ("Faces at random", [Tile(cut.face(row), _caption(row)) for row in choice.faces]),
        ("The least likely faces", [Tile(cut.face(row), _caption(row)) for row in choice.unlikely]),
        ("What could not be read", [Tile(_text(row["error"] or ""), _caption(row)) for row in choice.errors]),
    ]
    return contact_sheet([Section(title, tiles) for title, tiles in bands if tiles])


def _caption(row: Row) -> str:
    """Ends with what tells most of a path: a sheet shortens from the left."""
    what = row["status"] if row["face"] is None else f"{row['probability']:.3f}"
    frame = "" if row["frame"] is None else f" #{row['frame']}"
    return f"{what} {row['path'].rpartition('/')[2]}{frame}"


class _Cutter:
    """Cuts faces out of the pictures of a source."""

    def __init__(self, target: Target, run: Run) -> None:
        self._run = run
        self._reader = Reader(run.query, run.column)
        self._target = target
        self._items: dict[str, Item] | None = None

    def face(self, row: Row) -> Pixels:
        """A square of the picture; where that is gone, a tile that says so."""
        if row.get("crop"):
            return decode_image(row["crop"])
        try:
            pixels = self._pixels(self._item(row["path"]), row["frame"])
        except (NotRead, FaceError) as error:
            return _text(str(error))
        return _square(pixels, row["box"])

    def _item(self, path: str) -> Item:
        if self._items is None:
            self._items = {row["path"]: Item(**row) for row in self._target.manifest().to_pylist()}
        return self._items[path]

    def _pixels(self, item: Item, frame: int | None) -> Pixels:
        data = self._reader.read(item)
        if item.kind != VIDEO:
            return decode_image(data)
        for each in frames(data, self._run.every, item.path):
            if each.index == frame:
                return each.rgb()
        raise NotRead("changed", "has no such frame any more")


def _square(pixels: Pixels, box: Sequence[float]) -> Pixels:
    """A square around the box; what lies beside the picture is black."""
    left, top, right, bottom = box
    half = max(right - left, bottom - top) * (0.5 + _MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    return np.array(Image.fromarray(pixels).crop((round(x - half), round(y - half), round(x + half), round(y + half))))


def _text(words: str) -> Pixels:
    """A sentence, as far as it fits."""
    tile = Image.new("RGB", (SIDE, SIDE), _TILE)
    lines = textwrap.wrap(words, _LETTERS)[:_LINES]
    ImageDraw.Draw(tile).multiline_text((4, 4), "\n".join(lines), _INK, load_font(_FONT), spacing=2)
    return np.array(tile)
