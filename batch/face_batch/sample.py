"""A sheet to look at: faces at random, the least likely ones, and what could not be read."""

import math
import textwrap
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from face_batch import schema
from face_batch.errors import BatchError
from face_batch.manifest import Run, Target
from face_batch.reading import NotRead, Reader
from face_batch.sources import VIDEO, Item
from face_batch.videos import frames
from face_client.errors import FaceError
from face_pictures.decoding import decode_image
from face_tools.drawing import SIDE, Section, Tile, contact_sheet, load_font

Row: TypeAlias = dict[str, Any]
Pixels: TypeAlias = NDArray[np.uint8]

Key: TypeAlias = tuple[str, int | None, int | None]
"""Of a row: path, frame, face."""

# Around a box, in sides of it.
_MARGIN = 0.35
# Of a sentence in place of a face.
_LETTERS, _LINES, _FONT, _SPACING = 17, 7, 10, 2
_TILE, _INK = (226, 226, 220), (30, 35, 40)
_COLUMNS = ["path", "frame", "face", "status", "error", "probability", "box"]


@dataclass(frozen=True)
class Band:
    """Rows of the sheet, and of how many they were taken."""

    rows: Sequence[Row]
    total: int


@dataclass(frozen=True)
class Choice:
    """What is shown. Rows have the columns of the tables, and `shard` and `row`, where they stand."""

    faces: Band
    unlikely: Band
    errors: Band


def choose(target: Target, run: Run, count: int, seed: int) -> Choice:
    """So many of each kind, in one walk through the shards that are there, which holds one of them at a time.

    Of a million faces each has the same chance: every one draws a number, and the lowest stay.
    Raises Disagreement where a shard is damaged.
    """
    random = np.random.default_rng(seed)
    faces, unlikely, errors = _Lowest(count), _Lowest(count), _Lowest(count)
    for number in range(run.shards):
        if target.shard(number).info() is None:
            continue
        table = target.read(number, _COLUMNS)
        table = table.append_column("shard", pa.array(np.full(len(table), number)))
        table = table.append_column("row", pa.array(np.arange(len(table))))
        some = table.filter(pc.is_valid(table["face"]))
        faces.add(some, random.random(len(some)))
        unlikely.add(some, some["probability"].to_numpy())
        # Faces have no status.
        some = table.filter(pc.not_equal(table["status"], schema.OK))
        errors.add(some, random.random(len(some)))
    return Choice(faces.band(), unlikely.band(), errors.band())


class _Lowest:
    """The rows of the lowest ranks, of all that it is shown."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._ranks = np.zeros(0)
        self._rows: pa.Table | None = None
        self._total = 0

    def add(self, rows: pa.Table, ranks: NDArray[Any]) -> None:
        """ranks: one a row. Of equal ones the first stays."""
        self._total += len(rows)
        ranks = np.concatenate([self._ranks, ranks])
        order = np.argsort(ranks, kind="stable")[: self._count]
        self._ranks = ranks[order]
        self._rows = (rows if self._rows is None else pa.concat_tables([self._rows, rows])).take(order)

    def band(self) -> Band:
        """Those, the lowest first."""
        return Band([] if self._rows is None else self._rows.to_pylist(), self._total)


def draw_sheet(target: Target, run: Run, count: int, seed: int) -> Image.Image:
    """So many of each kind. Faces are cut from their pictures as these are now, unless the run has crops of them.

    Raises Disagreement where a shard is damaged; a picture that is gone is a tile that says so.
    """
    choice = choose(target, run, count, seed)
    faces = {_key(row): row for row in (*choice.faces.rows, *choice.unlikely.rows)}
    rows = list(faces.values())
    cut = dict(_crops(target, rows) if run.crops else _cuts(target, run, rows))
    bands = (
        ("Faces at random", choice.faces, cut),
        ("The least likely faces", choice.unlikely, cut),
        ("What could not be read", choice.errors, {_key(row): _reason(row) for row in choice.errors.rows}),
    )
    return contact_sheet([_section(title, band, tiles) for title, band, tiles in bands])


def _section(title: str, band: Band, tiles: dict[Key, Pixels]) -> Section:
    shown = f"{len(band.rows):,} of {band.total:,}" if band.total else "none"
    return Section(f"{title}: {shown}", [Tile(tiles[_key(row)], _caption(row)) for row in band.rows])


def _key(row: Row) -> Key:
    return row["path"], row["frame"], row["face"]


def _caption(row: Row) -> str:
    """What tells most comes last: a sheet shortens from the left."""
    frame = "" if row["frame"] is None else f" #{row['frame']}"
    probability = "" if row["face"] is None else f" {row['probability']:.3f}"
    return f"{row['path']}{frame}{probability}"


def _crops(target: Target, rows: Sequence[Row]) -> Iterator[tuple[Key, Pixels]]:
    """The tables' own."""
    for number, some in groupby(sorted(rows, key=lambda row: row["shard"]), key=lambda row: row["shard"]):
        crops = target.read(number, ["crop"])["crop"]
        for row in some:
            try:
                yield _key(row), decode_image(crops[row["row"]].as_py() or b"")
            except FaceError as error:
                yield _key(row), _text(str(error))


def _cuts(target: Target, run: Run, rows: Sequence[Row]) -> Iterator[tuple[Key, Pixels]]:
    """Each picture is read once for all of its faces, several at a time."""
    left = {path: list(some) for path, some in groupby(sorted(rows, key=_place), key=lambda row: row["path"])}
    why = "is not in the manifest"
    try:
        for item, data in Reader(run.query, run.column).read_all(_items(target, rows)):
            yield from _of_item(item, data, run.every, left.pop(item.path))
    except BatchError as error:
        # The store itself: there is no use in asking it for the others.
        why = str(error)
    yield from ((_key(row), _text(why)) for some in left.values() for row in some)


def _place(row: Row) -> tuple[str, int, int]:
    return row["path"], row["frame"] or 0, row["face"]


def _items(target: Target, rows: Sequence[Row]) -> list[Item]:
    """Of the pictures that rows are of."""
    paths = {row["path"] for row in rows}
    shards = sorted({row["shard"] for row in rows})
    return [item for number in shards for item in target.items(number) if item.path in paths]


def _of_item(item: Item, data: bytes | NotRead, every: int, rows: Sequence[Row]) -> Iterator[tuple[Key, Pixels]]:
    """The faces of a picture, or of the frames of a video; rows: in the order of these."""
    left = deque(rows)
    why = "the video has no such frame any more"
    try:
        for index, pixels in _frames(item, data, every):
            while left and left[0]["frame"] == index:
                row = left.popleft()
                yield _key(row), _square(pixels(), row["box"])
            if not left:
                return
    except (NotRead, FaceError) as error:
        why = str(error)
    yield from ((_key(row), _text(why)) for row in left)


def _frames(item: Item, data: bytes | NotRead, every: int) -> Iterator[tuple[int | None, Callable[[], Pixels]]]:
    """Number and pixels of each, for which it takes a call; of a picture one without a number."""
    if isinstance(data, NotRead):
        raise data
    if item.kind == VIDEO:
        for frame in frames(data, every, item.path):
            yield frame.index, frame.rgb
    else:
        picture = decode_image(data)
        yield None, lambda: picture


def _square(pixels: Pixels, box: Sequence[float]) -> Pixels:
    """A square around the box; what lies beside the picture is black."""
    if not all(map(math.isfinite, box)):
        return _text("the box is no number")
    left, top, right, bottom = box
    # Box regression may turn a box over, or make it larger than any picture.
    side = min(max(abs(right - left), abs(bottom - top), 1), max(pixels.shape))
    side = round(side * (1 + 2 * _MARGIN))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    return np.array(Image.fromarray(pixels).crop((x, y, x + side, y + side)))


def _reason(row: Row) -> Pixels:
    """Of an error: its class, and its words."""
    return _text(row["error"] or "", row["status"].replace("_", " "))


def _text(words: str, title: str = "") -> Pixels:
    """A sentence, as far as it fits."""
    tile = Image.new("RGB", (SIDE, SIDE), _TILE)
    lines = [*textwrap.wrap(title.upper(), _LETTERS - 2), *textwrap.wrap(words, _LETTERS)]
    if len(lines) > _LINES:
        lines[_LINES - 1 :] = [f"{lines[_LINES - 1][: _LETTERS - 1]}…"]
    ImageDraw.Draw(tile).multiline_text((4, 4), "\n".join(lines), _INK, load_font(_FONT), spacing=_SPACING)
    return np.array(tile)
