"""What a run is, and what of it is done: only what lies whole in the target counts."""

import json
import random
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch.errors import Disagreement, StoreUnavailable, TargetRefused
from face_batch.manifest import STATE, Run, Target, shard_name
from face_batch.sources import ITEM_SCHEMA, Item

RUN = Run(
    "photos",
    items=95,
    shard_size=10,
    options={"min_face_size": 20, "rotations": (0, 90)},
    fingerprint={"release": "1.0", "pnet": "weights abc"},
)


def manifest(count):
    rows = [Item(f"/p/{n:04d}.jpg", "picture", f"/p/{n:04d}.jpg", 0, n, f"{n}-1") for n in range(count)]
    return pa.Table.from_pylist([vars(item) for item in rows], ITEM_SCHEMA)


def table(run, paths=("a", "b")):
    nothing = {field.name: np.nan for field in run.schema if pa.types.is_fixed_size_list(field.type)}
    rows = [{"path": path, "status": "ok", "faces": 0} for path in paths]
    for row, field in ((row, field) for row in rows for field in run.schema):
        if field.name in nothing:
            row[field.name] = [np.nan] * field.type.list_size
    return pa.Table.from_pylist(rows, run.schema)


@pytest.fixture(params=["disk", "bucket"])
def target(request, bucket):
    """Its folder is `bucket / "t"`."""
    # A store has no folders; this one is one.
    (bucket / "t" / STATE).mkdir(parents=True)
    return Target.at(str(bucket / "t") if request.param == "disk" else "s3://bucket/t")


def test_a_run_is_read_as_it_was_written(target):
    assert target.run() is None
    target.begin(RUN, manifest(95))
    there = target.run()
    assert there.difference(RUN) is None
    assert RUN.difference(there) is None
    assert there.digest == RUN.digest
    assert (there.shards, there.items, there.schema) == (10, 95, RUN.schema)


@pytest.mark.parametrize(("items", "shards"), [(0, 0), (1, 1), (10, 1), (11, 2), (95, 10), (100, 10)])
def test_how_many_shards(items, shards):
    assert replace(RUN, items=items).shards == shards


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"source": "others"}, "source was photos, is others"),
        ({"query": "region=x"}, None),
        ({"embeddings": True}, "embeddings was False, is True"),
        ({"every": 5}, "every was 1, is 5"),
        ({"column": "x"}, "column was not given, is x"),
        ({"options": {"rotations": (0, 90)}}, "min_face_size was 20, is not given"),
        ({"options": {**RUN.options, "min_face_size": 30}}, "min_face_size was 20, is 30"),
        ({"options": {**RUN.options, "margin": 5}}, "margin was not given, is 5"),
        ({"fingerprint": {**RUN.fingerprint, "pnet": "weights x"}}, "pnet was weights abc, is weights x"),
        ({"crops": True, "source": "x"}, "crops was False, is True; source was photos, is x"),
        ({"items": 5}, None),
        ({"shard_size": 7}, None),
        ({"options": {"rotations": [0, 90], "min_face_size": 20.0}}, None),
    ],
)
def test_in_what_another_run_is_not_the_same(more, told):
    other = replace(RUN, **more)
    assert RUN.difference(other) == told
    if told is not None:
        assert other.digest != RUN.digest


def test_names_of_options_and_of_the_run_are_not_the_same():
    """They are compared side by side."""
    from face_client.options import PARAMETERS

    assert not set(PARAMETERS) & {field for field in vars(RUN) if field not in ("options", "fingerprint")}


@pytest.mark.parametrize("size", [1, 7, 10, 95, 1000])
def test_a_group_of_rows_is_a_shard(target, size):
    run = replace(RUN, shard_size=size)
    items = manifest(95)
    target.begin(run, items)
    assert target.manifest().equals(items)
    expected = [Item(**row) for row in items.to_pylist()]
    for number in range(run.shards):
        assert target.items(number) == expected[number * size : (number + 1) * size]


def test_items_that_come_in_pieces_are_cut_all_the_same(target):
    """As a listing's do, which is made of chunks."""
    items = manifest(95)
    target.begin(RUN, pa.concat_tables([items.slice(0, 3), items.slice(3, 50), items.slice(53)]))
    assert [len(target.items(number)) for number in range(10)] == [10] * 9 + [5]


def test_a_folder_that_others_use(target, bucket):
    (bucket / "t" / "notes.txt").touch()
    target.begin(RUN, manifest(95))
    (bucket / "t" / STATE / "run.json").unlink()
    (bucket / "t" / "theirs.parquet").touch()
    with pytest.raises(TargetRefused, match=f"{target.place.address} holds other Parquet files"):
        target.begin(RUN, manifest(95))
    assert target.run() is None


def test_what_is_done(target, bucket):
    """Against what was written whole: the rest is cut off at any place, of another run, or no table at all."""
    choice = random.Random(0)
    target.begin(RUN, manifest(95))
    assert target.done(RUN) == set()
    whole = set()
    for number in range(RUN.shards):
        file = bucket / "t" / shard_name(number)
        match choice.choice(["there", "there", "cut", "another run", "another shard", "foreign", "empty", "missing"]):
            case "there":
                target.commit(RUN, number, table(RUN))
                whole.add(number)
            case "cut":
                target.commit(RUN, number, table(RUN))
                file.write_bytes(file.read_bytes()[: -choice.randrange(1, 2000)])
            case "another run":
                target.commit(replace(RUN, every=2), number, table(RUN))
            case "another shard":
                target.commit(RUN, number + 1, table(RUN))
                (bucket / "t" / shard_name(number + 1)).rename(file)
            case "foreign":
                pq.write_table(pa.table({"x": [1]}), file)
            case "empty":
                file.touch()
    assert 0 < len(whole) < RUN.shards
    assert target.done(RUN) == whole


@pytest.mark.parametrize("cut", [0, 1, 4, 8, 9, 100, 1000])
def test_a_shard_that_was_cut_off(target, bucket, cut):
    target.begin(RUN, manifest(95))
    target.commit(RUN, 3, table(RUN))
    file = bucket / "t" / shard_name(3)
    content = file.read_bytes()
    # A footer with other bytes in its middle, too.
    for damaged in (content[:cut], content[: len(content) - cut - 1], content[:-200] + bytes(192) + content[-8:]):
        file.write_bytes(damaged)
        assert target.done(RUN) == set()
        assert target.facts(3) == {}
        with pytest.raises(Disagreement, match=r"part-00003\.parquet is damaged: "):
            target.read(3)


def test_rows_are_read_as_they_were_committed(target):
    target.begin(RUN, manifest(95))
    rows = table(RUN, ["x", "y", "z"])
    target.commit(RUN, 0, rows)
    assert target.facts(0) == {"shard": 0, "run": RUN.digest}
    assert target.read(0)["path"].equals(rows["path"])
    assert target.read(0, ["status"]).column_names == ["status"]
    with pytest.raises(Disagreement, match=r"part-00001\.parquet is not there"):
        target.read(1)


def test_the_last_word(target, bucket):
    assert not target.is_complete
    target.succeed()
    assert target.is_complete
    assert (bucket / "t" / "_SUCCESS").read_bytes() == b""


@pytest.mark.parametrize(
    ("written", "error", "told"),
    [
        (b'{"format": 2}', TargetRefused, "has format 2; 1 is read here"),
        (b"", TargetRefused, "is damaged"),
        (b'{"format"', TargetRefused, "is damaged"),
        (b"[]", TargetRefused, "is damaged"),
        (b'{"format": 1, "source": "x"}', TargetRefused, "is damaged"),
        (b'{"format": 1, "more": "x"}', TargetRefused, "is damaged"),
        (b"\xff", TargetRefused, "is damaged"),
    ],
)
def test_a_run_that_is_none(target, bucket, written, error, told):
    (bucket / "t" / STATE / "run.json").write_bytes(written)
    with pytest.raises(error, match=told):
        target.run()


def test_a_run_that_cannot_be_read(bucket):
    (bucket / "t" / STATE / "run.json").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match=r"run\.json cannot be read"):
        Target.at(str(bucket / "t")).run()


def test_a_manifest_that_is_gone_or_damaged(target, bucket):
    target.begin(RUN, manifest(95))
    file = bucket / "t" / STATE / "manifest.parquet"
    for content, told in ((file.read_bytes()[:-5], "is damaged"), (None, "is not there")):
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        for ask in (target.manifest, lambda: target.items(0)):
            with pytest.raises(Disagreement, match=rf"manifest\.parquet {told}"):
                ask()


def test_what_a_target_says_is_the_same_each_time(target, bucket):
    state = bucket / "t" / STATE
    written = []
    for _ in range(2):
        target.begin(RUN, manifest(95))
        written.append([(state / name).read_bytes() for name in ("run.json", "manifest.parquet")])
    assert written[0] == written[1]
    assert json.loads(written[0][0])["fingerprint"] == RUN.fingerprint
