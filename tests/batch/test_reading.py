"""Bytes of items: each in its order, whatever became of the source, and not too many ahead."""

import os
import random
import shutil
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch import reading
from face_batch.errors import StoreUnavailable
from face_batch.places import Place
from face_batch.reading import NotRead, Reader
from tests.batch.listing import archive, items_of, write


def read(items, column=None):
    """Bytes, or status and sentence."""
    found = list(Reader(column=column).read_all(items))
    assert [item for item, _ in found] == list(items)
    return [(data.status, str(data)) if isinstance(data, NotRead) else data for _, data in found]


MISSING = ("missing", "is not there")
CHANGED = ("changed", "was written again since the manifest was made")


@pytest.mark.parametrize("seed", range(5))
def test_random_sources_that_change(bucket, seed):
    """Files, members and cells in any order, some of them gone or written again since."""
    choice = random.Random(seed)
    expected = {}
    for number in range(40):
        (bucket / f"{number}.jpg").write_bytes(expected.setdefault(f"{number}.jpg", choice.randbytes(number)))
    for number in range(3):
        members = {f"{n}.jpg": choice.randbytes(choice.randrange(3000)) for n in range(10)}
        archive(bucket / f"{number}.tar", members.items())
        expected |= {f"{number}.tar/{name}": content for name, content in members.items()}
        cells = [choice.randbytes(9) for _ in range(50)]
        pq.write_table(pa.table({"x": cells}), bucket / f"{number}.parquet", row_group_size=choice.randrange(1, 60))
        expected |= {f"{number}.parquet#{row:010d}": cell for row, cell in enumerate(cells)}
    items = []
    for below in (str(bucket), "s3://bucket"):
        items += items_of(below) + items_of(f"{below}/*.tar") + items_of(f"{below}/*.parquet", "x")
    for file in list(bucket.iterdir()):
        name = file.name
        fate = choice.choice((None, None, MISSING, CHANGED, "a folder"))
        if fate is None:
            continue
        file.unlink()
        if fate == CHANGED:
            file.write_bytes(b"another")
        if fate == "a folder":
            file.mkdir()
        told = CHANGED if fate == CHANGED else MISSING
        expected |= {path: told for path in expected if path == name or path.startswith((f"{name}/", f"{name}#"))}
    choice.shuffle(items)
    names = [item.path.removeprefix(f"{bucket}/").removeprefix("s3://bucket/") for item in items]
    assert read(items, "x") == [expected[name] for name in names]


def test_a_file_that_came_after_the_manifest(tmp_path):
    (tmp_path / "list.txt").write_text("late.jpg")
    items = items_of(tmp_path / "list.txt")
    write(tmp_path, "late.jpg")
    assert read(items) == [("changed", "was not there when the manifest was made")]


def test_a_file_that_goes_while_it_is_read(tmp_path, monkeypatch):
    write(tmp_path, "a.jpg")
    items = items_of(tmp_path)
    monkeypatch.setattr(Reader, "check", lambda _, item: Path(item.file).unlink())
    assert read(items) == [MISSING]


@pytest.fixture
def nobody():
    """A folder, and the one who must not read all of it: the tests' own user may be root."""
    # Not below pytest's own folders, which are root's alone.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = os.geteuid() == 0

        def become():
            if root:
                os.seteuid(65534)

        yield Path(folder), become
        if root:
            os.seteuid(0)
        for below in Path(folder).iterdir():
            below.chmod(0o755)


def test_what_must_not_be_read(nobody):
    folder, become = nobody
    write(folder, "a.jpg", "b.jpg", "shut/c.jpg")
    items = items_of(folder)
    (folder / "list.txt").write_text("a.jpg\nshut/c.jpg")
    (folder / "a.jpg").chmod(0)
    (folder / "shut").chmod(0)
    become()
    refused = ("unreadable", "Permission denied")
    assert read(items) == [refused, b"b.jpg", refused]
    # A list is read on, too.
    assert read(items_of(folder / "list.txt")) == [refused, refused]


def files(folder, count):
    write(folder, *(f"{number:03d}.jpg" for number in range(count)))
    return items_of(folder)


@pytest.mark.parametrize(("bytes_ahead", "most"), [(None, 32), (42, 6), (1, 1)])
def test_reading_ahead_is_bounded(tmp_path, monkeypatch, bytes_ahead, most):
    """Seven bytes each."""
    if bytes_ahead:
        monkeypatch.setattr(reading, "_AHEAD_BYTES", bytes_ahead)
    items = files(tmp_path, 100)
    reader, begun = Reader(), []
    whole = reader.read
    monkeypatch.setattr(reader, "read", lambda item: (begun.append(item), whole(item))[1])
    for taken, (item, data) in enumerate(reader.read_all(items), 1):
        assert data == Path(item.path).name.encode()
        assert len(begun) <= taken + most
    assert len(begun) == 100


def test_items_are_taken_as_they_are_needed(tmp_path):
    items = files(tmp_path, 100)
    taken = []
    found = Reader().read_all(taken.append(item) or item for item in items)
    assert not taken
    next(found)
    assert len(taken) == 32
    found.close()
    assert len(taken) == 32


def test_slow_files_are_read_side_by_side(tmp_path, monkeypatch):
    items = files(tmp_path, 16)
    together = threading.Barrier(8, timeout=30)
    reader = Reader()
    monkeypatch.setattr(reader, "read", lambda item: (together.wait(), item.path.encode())[1])
    assert [data.decode() for _, data in reader.read_all(items)] == [item.path for item in items]


def test_who_stops_waits_for_what_has_begun_only(tmp_path, monkeypatch):
    items = files(tmp_path, 100)
    reader, begun = Reader(), []
    monkeypatch.setattr(reader, "read", lambda item: (begun.append(item), time.sleep(0.02), b"")[2])
    found = reader.read_all(items)
    next(found)
    found.close()
    count = len(begun)
    assert count <= 1 + 2 * 8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


def test_a_store_that_fails_ends_it_at_its_place(tmp_path, monkeypatch):
    items = files(tmp_path, 10)
    whole = Place.read

    def failing(place):
        if place.path.endswith("005.jpg"):
            raise StoreUnavailable("the store is gone")
        return whole(place)

    monkeypatch.setattr(Place, "read", failing)
    found = Reader().read_all(items)
    assert [Path(next(found)[0].path).name for _ in range(5)] == [f"{number:03d}.jpg" for number in range(5)]
    with pytest.raises(StoreUnavailable):
        next(found)


def test_a_shared_file_is_looked_at_once(tmp_path, monkeypatch):
    archive(tmp_path / "t.tar", [(f"{number}.jpg", b"x") for number in range(50)])
    items = items_of(tmp_path / "t.tar")
    looked, whole = [], Place.info
    monkeypatch.setattr(Place, "info", lambda place: (looked.append(place.path), whole(place))[1])
    assert read(items) == [b"x"] * 50
    # Readers that begin side by side may look at once.
    assert len(looked) <= reading.READERS


def cells(folder, values, **options):
    pq.write_table(pa.table({"x": values}), folder / "t.parquet", **options)
    return items_of(folder / "t.parquet", "x")


def test_a_group_of_rows_is_decoded_once_and_not_held(tmp_path, monkeypatch):
    """40 MB of cells in one group, in order; from the middle on, too."""
    values = [random.Random(row).randbytes(20_000) for row in range(2000)]
    # Pages of so many cells: they are decoded whole.
    items = cells(tmp_path, values, compression="none", use_dictionary=False, write_batch_size=32)
    begun = []
    whole = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *a, **k: (begun.append(1), whole(*a, **k))[1])
    before = pa.total_allocated_bytes()
    for start in (0, 1500):
        most = 0
        for item, data in Reader(column="x").read_all(items[start:]):
            assert data == values[item.offset]
            most = max(most, pa.total_allocated_bytes() - before)
        assert most < 10 << 20
    assert len(begun) == 2


def test_rows_in_any_order(tmp_path):
    values = [b"%d" % row for row in range(300)]
    items = cells(tmp_path, values, row_group_size=70)
    random.Random(0).shuffle(items)
    assert read(items, "x") == [values[item.offset] for item in items]


def test_a_group_of_rows_that_is_damaged(tmp_path):
    """Its rows are lost, those around it are not."""
    values = [b"%060d" % row for row in range(300)]
    items = cells(tmp_path, values, row_group_size=100, compression="none", use_dictionary=False)
    file = tmp_path / "t.parquet"
    content = bytearray(file.read_bytes())
    begin = pq.ParquetFile(file).metadata.row_group(1).column(0).data_page_offset
    content[begin : begin + 40] = bytes(40)
    times = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    found = read(items, "x")
    assert found[:100] + found[200:] == values[:100] + values[200:]
    assert {data[0] for data in found[100:200]} == {"unreadable"}


def test_a_reader_of_a_folder_that_is_gone(tmp_path):
    items = files(tmp_path / "in", 3)
    shutil.rmtree(tmp_path / "in")
    assert read(items) == [MISSING] * 3


def test_no_items():
    assert read([]) == []


def test_what_the_source_said_of_its_store_holds_for_its_items():
    reader = Reader("endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1")
    one, other = reader.place("s3://bucket/a.jpg"), reader.place("s3://bucket/b/c.jpg")
    assert (one.address, other.address) == ("s3://bucket/a.jpg", "s3://bucket/b/c.jpg")
    assert one.filesystem is other.filesystem
