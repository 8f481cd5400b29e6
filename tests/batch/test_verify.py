"""Every way in which a target may not be what its manifest says is told, with its file and its path."""

import random
import re
import shutil
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch import schema
from face_batch.manifest import Run, Target, shard_name
from face_batch.sources import ITEM_SCHEMA
from face_batch.verify import MOST_TOLD, verify
from tests.batch import tables

NOTHING = {"box": [np.nan] * 4, "landmarks": [np.nan] * 10, "embedding": [np.nan] * 512}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Made once: a video takes its time."""
    return tables.make(tmp_path_factory.mktemp("good"), embeddings=True, crops=True)


@pytest.fixture
def made(good, tmp_path):
    """A target to spoil."""
    folder = tmp_path / "target"
    shutil.copytree(good.folder, folder)
    return tables.Made(Target.at(str(folder)), good.run, folder)


def place(rows, name, frame=None, face=None):
    """Where a row is."""
    return next(
        number
        for number, row in enumerate(rows)
        if row["path"].endswith(f"/{name}") and (row["frame"], row["face"]) == (frame, face)
    )


def put(name, frame=None, face=None, /, **values):
    """A change of one row."""

    def change(rows):
        rows[place(rows, name, frame, face)].update(values)

    return change


def drop(name, frame=None, face=None):
    return lambda rows: rows.pop(place(rows, name, frame, face))


def drop_all(name):
    def change(rows):
        rows[:] = [row for row in rows if not row["path"].endswith(f"/{name}")]

    return change


def again(name, frame=None, face=None, /, **values):
    """A row a second time, after itself."""

    def change(rows):
        number = place(rows, name, frame, face)
        rows.insert(number + 1, {**rows[number], **values})

    return change


def move(name, frame, to):
    """A row to another place."""
    return lambda rows: rows.insert(to, rows.pop(place(rows, name, frame)))


def rename(name, other):
    def change(rows):
        for row in rows:
            row["path"] = row["path"].replace(name, other)

    return change


def swap_faces(rows):
    first = place(rows, "g.png", None, 0)
    rows[first], rows[first + 1] = rows[first + 1], rows[first]


def test_a_good_target(good):
    assert verify(good.target, good.run) == []


def test_a_good_target_of_an_empty_source(tmp_path):
    """No run begins one; reading it must not fail."""
    target, run = Target.at(str(tmp_path)), Run("nowhere", 0, 4)
    target.begin(run, pa.Table.from_pylist([], ITEM_SCHEMA))
    target.succeed()
    assert verify(target, run) == []


# The shard, what is done to its rows, what is told of which path.
ROWS = {
    "no row": (0, drop_all("d.mp4"), "d.mp4", "has no row"),
    "no row in the middle": (0, drop_all("b.png"), "b.png", "c.png stands where"),
    "twice": (0, again("b.png"), "b.png", "there 2 times"),
    "twice, apart": (2, lambda rows: rows.append(rows[0]), "i.png", "not among its items"),
    "order": (2, lambda rows: rows.reverse(), "i.png", "stands where"),
    "a stranger": (2, rename("j.png", "k.png"), "j.png", "k.png stands where"),
    "of another shard": (2, again("j.png", path="/z.png"), "/z.png", "not among its items"),
    "a picture's frame": (0, put("b.png", frame=0), "b.png", "has a frame or a time"),
    "a picture's time": (0, put("b.png", time_s=0.5), "b.png", "has a frame or a time"),
    "a frame is missing": (0, drop("d.mp4", 2), "d.mp4", "has frame 4 where 2 should be"),
    "a frame twice": (0, again("d.mp4", 2), "d.mp4", "has frame 2 where 4 should be"),
    "frames out of order": (0, move("d.mp4", 2, 5), "d.mp4", "has frame 2 where 0 should be"),
    "the error after a frame": (1, lambda rows: rows.insert(2, rows.pop(0)), "e.mp4", "has frame None where"),
    "no frame and no error": (1, put("e.mp4", status="ok", error=None), "e.mp4", "has no frame, and the status ok"),
    "times": (0, put("d.mp4", 2, time_s=0.0), "d.mp4", "times that do not rise"),
    "no time": (0, put("d.mp4", 2, time_s=None), "d.mp4", "times that do not rise"),
    "a face is missing": (1, drop("g.png", None, 2), "g.png", "another number of faces"),
    "one of several faces is missing": (1, drop("g.png", None, 1), "g.png", "not counted from 0"),
    "a face twice": (1, again("g.png", None, 2), "g.png", "not counted from 0"),
    "faces swapped": (1, swap_faces, "g.png", "not counted from 0"),
    "a face too many": (0, put("b.png", faces=1), "b.png", "another number of faces"),
    "no number of faces": (0, put("b.png", faces=None), "b.png", "another number of faces"),
    "an error's faces": (0, put("c.png", faces=0), "c.png", "another number of faces"),
    "only faces": (1, lambda rows: rows.pop(0) and rows.pop(0), "e.mp4", "before any row of a picture"),
    "a face of another picture": (1, put("h.png", None, 0, path="/other.png"), "/other.png", "of another path"),
    "a face of another frame": (0, put("d.mp4", 4, 1, frame=None), "d.mp4", "of another frame"),
    "a face of another time": (0, put("d.mp4", 4, 0, time_s=9.0), "d.mp4", "of another time_s"),
    "a face of another width": (0, put("a.png", None, 0, width=1), "a.png", "of another width"),
    "a face's status": (0, put("a.png", None, 1, status="ok"), "a.png", "a face with a value in status"),
    "a face's faces": (0, put("a.png", None, 1, faces=1), "a.png", "a face with a value in faces"),
    "a probability and no face": (0, put("b.png", probability=0.5), "b.png", "value in probability"),
    "a size and no face": (0, put("b.png", size=5.0), "b.png", "value in size"),
    "a crop and no face": (0, put("b.png", crop=b"jpeg"), "b.png", "value in crop"),
    "no crop": (0, put("a.png", None, 0, crop=None), "a.png", "a face without crop"),
    "an unknown status": (0, put("c.png", status="tired"), "c.png", "status that is unknown"),
    "no reason": (0, put("c.png", error=None), "c.png", "an error without a reason"),
    "a reason and no error": (0, put("b.png", error="why not"), "b.png", "a reason and no error"),
    "no width": (0, put("b.png", width=None), "b.png", "a value in width"),
    "an error's height": (0, put("c.png", height=3), "c.png", "a value in height"),
    "probability over 1": (0, put("a.png", None, 1, probability=1.5), "a.png", "probability not within"),
    "probability below 0": (0, put("a.png", None, 1, probability=-0.1), "a.png", "probability not within"),
    "probability NaN": (0, put("a.png", None, 1, probability=np.nan), "a.png", "probability not within"),
    "no probability": (0, put("a.png", None, 1, probability=None), "a.png", "a face without probability"),
    "landmarks": (0, put("a.png", None, 0, landmarks=[np.inf] * 10), "a.png", "landmarks that is no number"),
    "a box and no face": (0, put("b.png", box=[1, 2, 3, 4]), "b.png", "has a box in its own row"),
    "an embedding and no face": (0, put("b.png", embedding=[0.5] * 512), "b.png", "has a embedding in its own"),
    "a size of another box": (0, put("a.png", None, 0, size=1.0), "a.png", "size is not its box's"),
    "the length of an embedding": (0, put("a.png", None, 0, embedding=[1.0] * 512), "a.png", "not of length 1"),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_that_are_wrong(made, case):
    number, change, name, expected = ROWS[case]
    rows = made.rows(number)
    change(rows)
    made.write(number, rows)
    told = verify(made.target, made.run)
    # One mistake may have several names: a face that is missing is one in the count and one in the numbers.
    assert all(sentence.startswith(f"{shard_name(number)}: ") for sentence in told)
    assert len([sentence for sentence in told if name in sentence and expected in sentence]) == 1, told


@pytest.mark.parametrize("name", ["a.png", "c.png"])
def test_a_value_too_many_or_too_few_in_any_cell(tmp_path, name):
    """Null where a value should be, and a value where null should."""
    made = tables.make(tmp_path, {name: {"a.png": 1, "c.png": "failed"}[name]}, embeddings=True)
    values = {"path": "/x", "status": "ok", "error": "why"}
    before = made.rows(0)
    unnoticed = []
    for row, cells in enumerate(before):
        for column, value in cells.items():
            if column in NOTHING:
                other = [1.0] * len(value) if np.isnan(value).all() else NOTHING[column]
            else:
                other = values.get(column, 1) if value is None else None
            made.write(
                0, [{**each, **({column: other} if number == row else {})} for number, each in enumerate(before)]
            )
            if not verify(made.target, made.run):
                unnoticed.append((row, column))
    # Of a face the angle is there with some options only.
    assert unnoticed == [(1, "angle")] * (name == "a.png")


def test_a_box_that_is_no_number(made):
    """Nor is then the size its own."""
    rows = made.rows(0)
    put("d.mp4", 4, 1, box=[0, 0, np.nan, 4])(rows)
    made.write(0, rows)
    first, second = verify(made.target, made.run)
    assert "d.mp4, frame 4, has a face with a box that is no number" in first
    assert "size" in second


def test_no_rows_at_all(made):
    made.write(2, [])
    assert [sentence.rpartition("/")[2] for sentence in verify(made.target, made.run)] == [
        "i.png has no row",
        "j.png has no row",
    ]


def cut(made):
    data = made.target.shard(1).read()
    made.target.shard(1).write(data[: len(data) // 2])


def empty(made):
    made.target.shard(1).write(b"")


def of_another_run(made):
    table = made.target.read(1)
    made.target.commit(tables.other_run(made), 1, table)


def copied(made):
    """Shards with each other's rows, as of somebody who renames files."""
    made.target.shard(1).write(made.target.shard(0).read())


def other_columns(made):
    made.target.commit(made.run, 1, made.target.read(1).drop_columns(["angle"]))


def other_type(made):
    table = made.target.read(1)
    at = table.schema.get_field_index("frame")
    made.target.commit(made.run, 1, table.set_column(at, "frame", table["frame"].cast(pa.int32())))


def other_order(made):
    table = made.target.read(1)
    made.target.commit(made.run, 1, table.select([*table.column_names[2:], *table.column_names[:2]]))


def without_facts(made):
    sink = pa.BufferOutputStream()
    pq.write_table(made.target.read(1).replace_schema_metadata(None), sink)
    made.target.shard(1).write(sink.getvalue())


def missing(made):
    made.target.shard(1).delete()
    (made.folder / "_SUCCESS").unlink()


FILES = {
    cut: ["part-00001.parquet: .* is damaged: .*"],
    empty: ["part-00001.parquet: .* is damaged: .*"],
    of_another_run: ["part-00001.parquet: is of another run"],
    without_facts: ["part-00001.parquet: is of another run"],
    copied: ["part-00001.parquet: says that it is shard 0"],
    other_columns: ["part-00001.parquet: has other columns: angle"],
    other_type: ["part-00001.parquet: has other columns: frame"],
    other_order: ["part-00001.parquet: has other columns: their order"],
    missing: ["part-00001.parquet is not there"],
    lambda made: made.target.shard(1).delete(): [
        "part-00001.parquet is not there",
        "_SUCCESS is there, and not all shards are",
    ],
    lambda made: made.target.shard(3).write(b"more"): ["part-00003.parquet is none of this run"],
    lambda made: (made.folder / "_SUCCESS").unlink(): ["_SUCCESS is not there"],
    lambda made: [made.target.shard(number).delete() for number in range(3)]: [
        "part-00000.parquet is not there, nor are 2 others of 3",
        "_SUCCESS is there, and not all shards are",
    ],
}


@pytest.mark.parametrize("spoil", FILES, ids=lambda spoil: spoil.__name__)
def test_files_that_are_wrong(made, spoil):
    spoil(made)
    told = verify(made.target, made.run)
    assert len(told) == len(FILES[spoil]), told
    for sentence, expected in zip(told, FILES[spoil], strict=True):
        assert re.fullmatch(expected, sentence), sentence


def test_a_bit_that_flipped_is_noticed(made):
    """Or changed nothing that is read."""
    data, rows = made.target.shard(1).read(), str(made.rows(1))
    choice = random.Random(0)
    for _ in range(40):
        damaged = bytearray(data)
        damaged[choice.randrange(len(data))] ^= 1 << choice.randrange(8)
        made.target.shard(1).write(bytes(damaged))
        made.target.done(made.run)
        assert verify(made.target, made.run) or str(made.rows(1)) == rows


def manifest_of(made, items):
    pq.write_table(items, made.folder / "_faces" / "manifest.parquet")


def test_a_manifest_that_is_gone_or_damaged(made):
    file = made.folder / "_faces" / "manifest.parquet"
    file.write_bytes(b"nothing")
    assert "manifest.parquet is damaged" in verify(made.target, made.run)[0]
    file.unlink()
    (sentence,) = verify(made.target, made.run)
    assert "manifest.parquet is not there" in sentence


def test_a_manifest_of_other_items(made):
    items = made.target.manifest()
    manifest_of(made, items.slice(0, 9))
    told = verify(made.target, made.run)
    assert told[0] == "_faces/manifest.parquet has 9 items, and the run 10"
    assert "j.png is there, and not among its items" in told[1]


def test_a_manifest_out_of_order(made):
    items = made.target.manifest()
    manifest_of(made, items.take([1, 0, *range(2, 10)]))
    told = verify(made.target, made.run)
    assert "is not sorted, or has a path twice" in told[0]
    assert "a.png" in told[0]


def test_no_more_is_told_than_a_person_reads(tmp_path):
    answers = {f"{number:03d}.png": 0 for number in range(40)}
    made = tables.make(tmp_path, answers)
    for number in range(made.run.shards):
        made.write(number, [{**row, "faces": 1} for row in made.rows(number)][:2])
    told = verify(made.target, made.run)
    assert len(told) == MOST_TOLD + 1
    assert told[-1] == "and more"


def test_a_shard_of_the_usual_size_takes_seconds(tmp_path):
    """2,000 pictures, 4 faces each, with embeddings: the promise is seconds, not minutes, on any machine."""
    count, each = 2000, 4
    run = Run("somewhere", count, count, embeddings=True)
    paths = [f"/{number:05d}.jpg" for number in range(count)]
    items = [{"path": path, "kind": "picture", "file": path, "offset": 0, "size": 1, "version": "1"} for path in paths]
    target = Target.at(str(tmp_path))
    target.begin(run, pa.Table.from_pylist(items, ITEM_SCHEMA))
    target.commit(run, 0, many(paths, each, run))
    target.succeed()
    start = time.perf_counter()
    assert verify(target, run) == []
    assert time.perf_counter() - start < 10


def many(paths, each, run):
    """Rows of so many faces a picture, made at once."""
    is_face = np.tile(np.arange(each + 1) > 0, len(paths))
    count = len(is_face)

    def vectors(size, row):
        values = np.where(is_face[:, None], np.asarray(row, np.float32), np.nan).astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), size)

    def only(mask, value, kind):
        return pa.array(np.broadcast_to(value, count), kind, mask=~mask)

    known = {
        "path": pa.array(np.repeat(paths, each + 1).tolist()),
        "face": only(is_face, np.tile(np.arange(-1, each), len(paths)), pa.int32()),
        "status": pa.array([None if face else schema.OK for face in is_face]),
        "width": pa.array(np.full(count, 640), pa.int32()),
        "height": pa.array(np.full(count, 480), pa.int32()),
        "faces": only(~is_face, each, pa.int32()),
        "candidates_dropped": only(~is_face, 0, pa.int64()),
        "probability": only(is_face, np.float32(0.9), pa.float32()),
        "size": only(is_face, np.float32(10), pa.float32()),
        "box": vectors(4, [0, 0, 10, 20]),
        "landmarks": vectors(10, np.arange(10)),
        "embedding": vectors(512, np.eye(1, 512)[0]),
    }
    columns = [known.get(field.name, pa.nulls(count, field.type)) for field in run.schema]
    return pa.Table.from_arrays(columns, schema=run.schema)
