"""Proves that a target is what its manifest says, row for row."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice, pairwise
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from face_batch import schema
from face_batch.errors import Disagreement
from face_batch.manifest import MANIFEST, SUCCESS, Run, Target, shard_name
from face_batch.sources import VIDEO, Item

Told: TypeAlias = Iterator[str]

MOST_TOLD = 20
"""Sentences; where there are more, one at the end says so."""

# What the rows of faces have from that of their picture, and what they leave to it.
_SHARED = ("path", "frame", "time_s", "width", "height")
_OF_PICTURES = ("status", "error", "faces", "candidates_dropped")
_OF_FACES = ("probability", "size", "angle", "crop")
# Of an embedding's length, beside 1.
_LENGTH_TOLERANCE = 1e-3


def verify(target: Target, run: Run) -> list[str]:
    """What is wrong, in sentences; nothing where each item of the manifest is in its shard once, with all its faces."""
    told = list(islice(_all(target, run), MOST_TOLD + 1))
    return told if len(told) <= MOST_TOLD else [*told[:MOST_TOLD], "and more"]


def _all(target: Target, run: Run) -> Told:
    try:
        items = target.manifest()
    except Disagreement as error:
        yield str(error)
        return
    yield from _manifest(items, run)
    there = {entry.path.rpartition("/")[2] for entry in target.place.files(recursive=False)}
    missing = []
    for number in range(run.shards):
        if shard_name(number) not in there:
            missing.append(shard_name(number))
            continue
        some = [Item(**row) for row in items.slice(number * run.shard_size, run.shard_size).to_pylist()]
        for sentence in _of_shard(target, run, number, some):
            yield f"{shard_name(number)}: {sentence}"
    if missing:
        others = f", nor are {len(missing) - 1:,} others of {run.shards:,}" if len(missing) > 1 else ""
        yield f"{missing[0]} is not there{others}"
    ours = {shard_name(number) for number in range(run.shards)}
    for name in sorted(name for name in there - ours if name.endswith(".parquet")):
        yield f"{name} is none of this run"
    if SUCCESS in there and missing:
        yield f"{SUCCESS} is there, and not all shards are"
    if SUCCESS not in there and not missing:
        yield f"{SUCCESS} is not there"


def _manifest(items: pa.Table, run: Run) -> Told:
    if len(items) != run.items:
        yield f"{MANIFEST} has {len(items):,} items, and the run {run.items:,}"
    paths = items["path"].combine_chunks()
    is_later = pc.greater(paths.slice(1), paths.slice(0, max(0, len(paths) - 1)))
    for row in _first(~_mask(is_later)):
        yield f"{MANIFEST} is not sorted, or has a path twice: {paths[row + 1]}"


def _of_shard(target: Target, run: Run, number: int, items: Sequence[Item]) -> Told:
    try:
        table = target.read(number)
    except Disagreement as error:
        yield str(error)
        return
    facts, expected = target.facts(number), run.facts(number)
    if facts != expected:
        is_of_run = facts.get("run") == expected["run"]
        yield f"says that it is shard {facts.get('shard')}" if is_of_run else "is of another run"
        return
    different = [name for name in _names(table.schema, run.schema) if not _same_column(name, table.schema, run.schema)]
    if different or table.schema.names != run.schema.names:
        yield f"has other columns: {', '.join(different) or 'their order'}"
        return
    # One chunk a column: rows are taken by their numbers.
    table = table.combine_chunks()
    yield from _order(table, items, run.every)
    yield from _rows(table)


def _names(*schemas: pa.Schema) -> list[str]:
    return list(dict.fromkeys(name for each in schemas for name in each.names))


def _same_column(name: str, one: pa.Schema, other: pa.Schema) -> bool:
    return name in one.names and name in other.names and one.field(name).type == other.field(name).type


def _order(table: pa.Table, items: Sequence[Item], every: int) -> Told:
    """Whether the rows of pictures are those of the manifest, in its order."""
    rows = table.filter(pc.is_null(table["face"])).select(["path", "frame", "time_s", "status"]).to_pylist()
    found = [(path, list(some)) for path, some in groupby(rows, key=lambda row: row["path"])]
    for item, (path, some) in zip(items, found, strict=False):
        if path != item.path:
            yield f"{path} stands where {item.path} should"
            return
        wrong = _frames(some, every) if item.kind == VIDEO else _picture(some)
        if wrong:
            yield f"{path} {wrong}"
    for item in items[len(found) :]:
        yield f"{item.path} has no row"
    for path, _ in found[len(items) :]:
        yield f"{path} is there, and not among its items in the manifest"


def _picture(rows: Sequence[dict[str, Any]]) -> str | None:
    """What is wrong with the rows of a picture, which are one."""
    if len(rows) > 1:
        return f"is there {len(rows)} times"
    if rows[0]["frame"] is not None or rows[0]["time_s"] is not None:
        return "is a picture, and has a frame or a time"
    return None


def _frames(rows: Sequence[dict[str, Any]], every: int) -> str | None:
    """What is wrong with the rows of a video: at most one without a frame, for an error, and before the others."""
    broken = rows[0]["frame"] is None
    if broken and rows[0]["status"] == schema.OK:
        return f"has no frame, and the status {schema.OK}"
    seen = rows[1:] if broken else rows
    numbers = [row["frame"] for row in seen]
    if numbers != list(range(0, every * len(numbers), every)):
        unlike = next(place for place, number in enumerate(numbers) if number != place * every)
        return f"has frame {numbers[unlike]} where {unlike * every} should be"
    times = [row["time_s"] for row in seen]
    if None in times or any(later <= earlier for earlier, later in pairwise(times)):
        return "has times that do not rise"
    return None


def _rows(table: pa.Table) -> Told:
    """Whether all rows of a shard fit the rows of their pictures, and have the values of their kind."""
    face = table["face"].fill_null(-1).to_numpy()
    starts = np.flatnonzero(face == -1)
    paths = table["path"].combine_chunks()
    if len(face) and (not len(starts) or starts[0] != 0):
        yield f"{paths[0]} has a face before any row of a picture"
        return
    lengths = np.diff([*starts, len(face)])
    checks = (
        *_faces(table, face, starts, lengths),
        *_fill(table, face >= 0),
        *_values(table, face >= 0),
    )
    for wrong, sentence in checks:
        for row in _first(wrong):
            frame = table["frame"][row].as_py()
            yield f"{paths[row]}{'' if frame is None else f', frame {frame},'} {sentence}"


Checks: TypeAlias = Iterator[tuple[NDArray[np.bool_], str]]
"""For each row whether it is wrong, and what is then told of it."""


def _faces(table: pa.Table, face: NDArray[np.int32], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Checks:
    """Of the faces below each picture; starts, lengths: of the pictures' rows and those of their faces."""
    picture = np.repeat(starts, lengths)
    yield face != np.arange(len(face)) - picture - 1, "has faces that are not counted from 0 on"
    for name in _SHARED:
        values = table[name].combine_chunks()
        yield ~_same(values, values.take(pa.array(picture))), f"has a face of another {name}"
    looked = _equal(table["status"], schema.OK)
    said = table["faces"].fill_null(-1).to_numpy()
    wrong = np.zeros(len(face), bool)
    wrong[starts] = said[starts] != np.where(looked[starts], lengths - 1, -1)
    yield wrong, "says another number of faces than it has rows of them"


def _fill(table: pa.Table, is_face: NDArray[np.bool_]) -> Checks:
    """Whether columns are filled where they should be, and nowhere else."""
    for name in _OF_PICTURES:
        yield is_face & _valid(table[name]), f"has a face with a value in {name}"
    for name in _OF_FACES:
        if name in table.column_names:
            yield ~is_face & _valid(table[name]), f"has a value in {name} in its own row"
            # Which faces are turned is known with some options only.
            if name != "angle":
                yield is_face & ~_valid(table[name]), f"has a face without {name}"
    is_error = ~is_face & ~_equal(table["status"], schema.OK)
    yield is_error & ~_mask(pc.is_in(table["status"], pa.array([*schema.ERRORS]))), "has a status that is unknown"
    yield ~is_face & (is_error != _valid(table["error"])), "has an error without a reason, or a reason and no error"
    for name in ("width", "height", "candidates_dropped"):
        yield (
            ~is_face & (is_error == _valid(table[name])),
            f"has a value in {name} as an error, or none and is none",
        )


def _values(table: pa.Table, is_face: NDArray[np.bool_]) -> Checks:
    """Whether the numbers of faces are such, and the vectors of others are NaN."""
    probability = table["probability"].fill_null(0).to_numpy()
    yield is_face & ~((probability >= 0) & (probability <= 1)), "has a face with a probability not within 0 to 1"
    for field in table.schema:
        if pa.types.is_fixed_size_list(field.type):
            numbers = _numbers(table, field)
            yield is_face & ~np.isfinite(numbers).all(axis=1), f"has a face with a {field.name} that is no number"
            yield ~is_face & ~np.isnan(numbers).all(axis=1), f"has a {field.name} in its own row"
    size = table["size"].fill_null(np.nan).to_numpy()
    yield is_face & ~np.isclose(size, _shorter_sides(table), equal_nan=True), "has a face whose size is not its box's"
    if "embedding" in table.column_names:
        yield is_face & ~(abs(_lengths(table) - 1) < _LENGTH_TOLERANCE), "has a face whose embedding is not of length 1"


# Of a damaged file the numbers may be anything.
@np.errstate(invalid="ignore", over="ignore")
def _shorter_sides(table: pa.Table) -> NDArray[np.float32]:
    box = _numbers(table, table.schema.field("box"))
    return np.minimum(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])


@np.errstate(invalid="ignore", over="ignore")
def _lengths(table: pa.Table) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(_numbers(table, table.schema.field("embedding")), axis=1))


def _numbers(table: pa.Table, field: pa.Field) -> NDArray[np.float32]:
    """A column of vectors as an array [rows, size]."""
    values: NDArray[np.float32] = table[field.name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.reshape(-1, field.type.list_size)


def _first(wrong: NDArray[np.bool_]) -> list[int]:
    """The number of the first such row: the same mistake in all of them is told once."""
    return [int(row) for row in np.flatnonzero(wrong)[:1]]


def _same(one: pa.Array, other: pa.Array) -> NDArray[np.bool_]:
    """Whether values are equal; null is as null."""
    equal = pc.equal(one, other).fill_null(False)
    return _mask(pc.or_(equal, pc.and_(pc.is_null(one), pc.is_null(other))))


def _equal(column: pa.ChunkedArray, value: str) -> NDArray[np.bool_]:
    return _mask(pc.equal(column, value).fill_null(False))


def _valid(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    return _mask(column.is_valid())


def _mask(values: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values.to_numpy())
