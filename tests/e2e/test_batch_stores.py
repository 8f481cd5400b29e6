"""Sources and targets in a real object store, well and ill."""

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch.errors import StoreUnavailable
from face_batch.places import Place
from face_batch.reading import NotRead, Reader
from face_batch.sources import Item, list_source
from tests.e2e.batches import generate, kill, parts, run, start, wait_for, workers
from tests.e2e.object_store import BUCKET, KEY, SECRET, Proxy, query, seaweed


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with seaweed(tmp_path_factory.mktemp("store")) as port:
        yield port


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    # Nobody asks a machine's metadata service for others.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def proxy(store):
    made = Proxy(store)
    yield made
    made.close()


def at(port, path=""):
    return f"s3://{BUCKET}/{path}?{query(port)}"


def put(port, folder, files):
    for name, content in files.items():
        Place.at(at(port, f"{folder}/{name}")).write(content)


def listed(source, column=None):
    return {
        item["path"].removeprefix(f"s3://{BUCKET}/"): item for item in list_source(source, column).items.to_pylist()
    }


def items(source, column=None):
    return [Item(**item) for item in list_source(source, column).items.to_pylist()]


def test_folders_and_patterns(store):
    put(store, "f", {"a.jpg": b"1", "b/c.png": b"22", "b/.hidden.jpg": b"3", "notes.txt": b"4", "clip.mp4": b"5"})
    assert [(path, item["kind"]) for path, item in listed(at(store, "f")).items()] == [
        ("f/a.jpg", "picture"),
        ("f/b/c.png", "picture"),
        ("f/clip.mp4", "video"),
    ]
    assert list(listed(at(store, "f/**/*.png"))) == ["f/b/c.png"]
    assert list(listed(at(store, "f/?.jpg"))) == ["f/a.jpg"]
    assert listed(at(store, "f"))["f/b/c.png"]["size"] == 2


def test_members_cells_and_lists(store, tmp_path):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in {"x/1.jpg": b"one", "x/1.json": b"{}", "2.jpg": b"two"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    table = io.BytesIO()
    pq.write_table(pa.table({"image": [b"three", None, b"five"]}), table, row_group_size=2)
    put(store, "m", {"t.tar": archive.getvalue(), "t.parquet": table.getvalue(), "a.jpg": b"six"})
    (tmp_path / "list.txt").write_text(f"s3://{BUCKET}/m/a.jpg\ns3://{BUCKET}/m/nowhere.jpg\n")

    def contents(source, column=None):
        reader = Reader(query(store), column)
        return [str(data) if isinstance(data, NotRead) else data for _, data in reader.read_all(items(source, column))]

    assert contents(at(store, "m/*.tar")) == [b"two", b"one"]
    assert contents(at(store, "m/t.parquet"), "image") == [b"three", "the cell is empty", b"five"]
    put(store, "m", {"list.txt": (tmp_path / "list.txt").read_bytes()})
    assert contents(at(store, "m/list.txt")) == [b"six", "is not there"]


def test_an_object_that_was_written_again(store):
    put(store, "w", {"a.jpg": b"1", "b.jpg": b"2"})
    there = items(at(store, "w"))
    put(store, "w", {"a.jpg": b"longer"})
    Place.at(at(store, "w/b.jpg")).delete()
    found = [data.status for _, data in Reader(query(store)).read_all(there)]
    assert found == ["changed", "missing"]


def test_a_store_that_refuses_for_a_while(store, proxy):
    put(store, "r", {"a.jpg": b"1"})
    place = Place.at(at(proxy.port, "r/a.jpg"))
    proxy.refuse = 6
    assert place.read() == b"1"
    assert proxy.refused == 6


def test_a_store_that_refuses_for_good(store, proxy, monkeypatch):
    monkeypatch.setattr("face_batch.places._FIRST_PAUSE_S", 0.01)
    put(store, "r", {"a.jpg": b"1"})
    proxy.refuse = 10_000
    for ask in (lambda place: place.read(), lambda place: place.write(b"2"), lambda place: place.info()):
        with pytest.raises(StoreUnavailable) as refused:
            ask(Place.at(at(proxy.port, "r/a.jpg")))
        assert f"s3://{BUCKET}/r/a.jpg" in str(refused.value)
        assert "\n" not in str(refused.value)
        assert SECRET not in str(refused.value)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("pictures"), 24)


def rows_of(folder):
    """All columns but the paths, which are other ones here."""
    tables = [pq.read_table(file).drop_columns(["path"]) for file in sorted(folder.glob("part-*"))]
    return pa.concat_tables(tables).replace_schema_metadata(None).to_pandas().to_csv()


def fetch(port, prefix, folder):
    folder.mkdir()
    place = Place.at(at(port, prefix))
    for entry in place.files():
        if "/_faces/" not in entry.path:
            (folder / entry.path.rpartition("/")[2]).write_bytes(place.sibling(entry.path).read())
    return folder


def test_from_a_slow_bucket_to_a_bucket_killed_and_resumed(store, proxy, pictures, tmp_path):
    put(store, "p", {str(file.relative_to(pictures)): file.read_bytes() for file in pictures.rglob("*.*")})
    run(pictures, tmp_path / "local", "--shard-size", 6)
    run(at(store, "p"), at(store, "calm"), "--shard-size", 6)
    calm = fetch(store, "calm", tmp_path / "calm")
    assert rows_of(calm) == rows_of(tmp_path / "local")

    proxy.delay_s = 0.05
    arguments = (at(proxy.port, "p"), at(proxy.port, "killed"), "--shard-size", 6, "--resume")
    process = start(*arguments)
    wait_for(lambda: workers(process))
    wait_for(lambda: Place.at(at(store, "killed/part-00000.parquet")).info() is not None)
    kill(process)
    proxy.refuse = 20
    run(*arguments)
    # Which bucket a run reads is part of what it is: by way of the proxy it is another.
    assert rows_of(fetch(store, "killed", tmp_path / "killed")) == rows_of(calm)
    assert "complete" in run("verify", at(store, "killed"))
    state = b"".join(Place.at(at(store, f"killed/_faces/{name}")).read() for name in ("run.json", "report.json"))
    assert SECRET.encode() not in state


def test_the_same_bytes_after_a_kill(store, pictures, tmp_path):
    put(store, "q", {str(file.relative_to(pictures)): file.read_bytes() for file in pictures.rglob("*.*")})
    run(at(store, "q"), tmp_path / "calm", "--shard-size", 6)
    arguments = (at(store, "q"), at(store, "again"), "--shard-size", 6, "--resume")
    process = start(*arguments)
    wait_for(lambda: Place.at(at(store, "again/part-00000.parquet")).info() is not None)
    kill(process)
    run(*arguments)
    assert parts(fetch(store, "again", tmp_path / "again")) == parts(tmp_path / "calm")
