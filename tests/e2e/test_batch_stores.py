"""Sources and targets in a real object store, well and ill."""

import io
import random
import subprocess
import sys
import tarfile
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch.errors import StoreUnavailable
from face_batch.places import Place
from face_batch.reading import NotRead, Reader
from face_batch.sources import Item, list_source
from face_server.ports import LOOPBACK
from tests.e2e.batches import SHARD_SIZE, kill, parts, run, start, wait_for, workers
from tests.e2e.object_store import BUCKET, GUEST, GUEST_SECRET, KEY, OPEN, SECRET, Proxy, query, seaweed


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
        Place.at(at(port, f"{folder}/{name}".lstrip("/"))).write(content)


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


def test_random_doings_are_those_of_a_dictionary(store):
    choice = random.Random(0)
    root, files = Place.at(at(store, "d")), {}
    for _ in range(150):
        name = "/".join([*choice.choices("ab", k=choice.randrange(3)), choice.choice("xyz")])
        place = root / name
        match choice.randrange(3):
            case 0:
                files[name] = choice.randbytes(choice.choice((0, 3, 5000)))
                place.write(files[name])
            case 1:
                place.delete()
                files.pop(name, None)
            case 2 if name in files:
                begin, size = choice.randrange(6000), choice.randrange(6000)
                assert place.read() == files[name]
                assert place.read_part(begin, size) == files[name][begin : begin + size]
            case 2:
                assert place.info() is None
                for ask in (place.read, place.open, lambda place=place: place.read_part(0, 1)):
                    with pytest.raises(FileNotFoundError):
                        ask()
        assert {entry.path.removeprefix(f"{root.path}/"): entry.size for entry in root.files()} == {
            name: len(content) for name, content in files.items()
        }


def test_a_list_on_this_machine(store, tmp_path, monkeypatch):
    """The environment says where the store is, as its own tools have it."""
    put(store, "l", {"a.jpg": b"1"})
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{LOOPBACK}:{store}")
    (tmp_path / "list.txt").write_text(f"s3://{BUCKET}/l/a.jpg\ns3://{BUCKET}/l/gone.jpg")
    found = [data for _, data in Reader().read_all(items(str(tmp_path / "list.txt")))]
    assert (found[0], found[1].status) == (b"1", "missing")


def test_objects_that_must_not_be_read(store, monkeypatch):
    put(store, "", {f"{OPEN}/a.jpg": b"1", "shut/a.jpg": b"2"})
    there = items(at(store, OPEN)) + items(at(store, "shut"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", GUEST)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", GUEST_SECRET)
    assert items(at(store, "shut")) == there[1:]
    found = [data for _, data in Reader(query(store)).read_all(there)]
    assert (found[0], found[1].status) == (b"1", "unreadable")
    assert "ACCESS_DENIED" in str(found[1])
    with pytest.raises(StoreUnavailable, match=f"s3://{BUCKET}/shut/b.jpg cannot be written"):
        put(store, "shut", {"b.jpg": b"3"})


@pytest.mark.parametrize(("key", "secret"), [(KEY, "wrong-secret"), ("nobody", SECRET)])
def test_credentials_that_are_not_taken(store, monkeypatch, key, secret):
    """No row says that a picture cannot be read: it could, with others."""
    put(store, "c", {"a.jpg": b"1"})
    there = items(at(store, "c"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    for ask in (
        lambda: list(Reader(query(store)).read_all(there)),
        lambda: items(at(store, "c")),
        lambda: put(store, "c", {"b.jpg": b"2"}),
    ):
        with pytest.raises(StoreUnavailable) as refused:
            ask()
        assert secret not in str(refused.value)


def test_a_store_that_refuses_now_and_then(store, proxy):
    """In the middle of files that are read piece by piece."""
    images = [random.Random(number).randbytes(200_000) for number in range(30)]
    archive, table = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for number, image in enumerate(images):
            member = tarfile.TarInfo(f"{number:02d}.jpg")
            member.size = len(image)
            tar.addfile(member, io.BytesIO(image))
    pq.write_table(pa.table({"image": images}), table, row_group_size=10)
    put(store, "n", {"t.tar": archive.getvalue(), "t.parquet": table.getvalue()})
    proxy.refuse_every = 2
    for name, column in (("t.tar", None), ("t.parquet", "image")):
        there = items(at(proxy.port, f"n/{name}"), column)
        assert [data for _, data in Reader(query(proxy.port), column).read_all(there)] == images
    # A connection carries many requests.
    assert proxy.refused > 3


def test_a_write_that_is_cut_off_leaves_nothing(store, proxy):
    """More than one request's worth, by a process that is killed in the middle; then once more."""
    address = at(proxy.port, "cut/x")
    proxy.delay_s = 0.3
    writes = f"from face_batch.places import Place; Place.at({address!r}).write(bytes(30 << 20))"
    process = subprocess.Popen([sys.executable, "-c", writes])
    wait_for(lambda: proxy.connections)
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert Place.at(at(store, "cut/x")).info() is None
    proxy.delay_s, proxy.refuse_every = 0, 3
    content = random.Random(0).randbytes(30 << 20)
    Place.at(address).write(content)
    assert Place.at(at(store, "cut/x")).read() == content


def test_a_store_that_is_not_there(store, monkeypatch):
    monkeypatch.setattr("face_batch.places._FIRST_PAUSE_S", 0.01)
    proxy = Proxy(store)
    proxy.close()
    with pytest.raises(StoreUnavailable, match=f"s3://{BUCKET}/x: .*[Cc]onnect"):
        Place.at(at(proxy.port, "x")).read()


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


def fetch(port, prefix, folder):
    folder.mkdir()
    place = Place.at(at(port, prefix))
    for entry in place.files():
        if "/_faces/" not in entry.path:
            (folder / entry.path.rpartition("/")[2]).write_bytes(place.sibling(entry.path).read())
    return folder


def rows_of(folder):
    """All columns but the paths, which are other ones in a bucket."""
    tables = [pq.read_table(file).drop_columns(["path"]) for file in sorted(folder.glob("part-*"))]
    return pa.concat_tables(tables).replace_schema_metadata(None).to_pandas().to_csv()


def test_from_a_slow_bucket_to_a_bucket_killed_and_resumed(store, proxy, batch_source, undisturbed, tmp_path):
    put(store, "p", {str(file.relative_to(batch_source)): file.read_bytes() for file in batch_source.rglob("*.*")})
    run(at(store, "p"), at(store, "calm"), "--shard-size", SHARD_SIZE)
    calm = fetch(store, "calm", tmp_path / "calm")
    assert rows_of(calm) == rows_of(undisturbed)

    proxy.delay_s = 0.05
    arguments = (at(proxy.port, "p"), at(proxy.port, "killed"), "--shard-size", SHARD_SIZE, "--resume")
    process = start(*arguments)
    wait_for(lambda: workers(process))
    wait_for(lambda: Place.at(at(store, "killed/part-00000.parquet")).info() is not None)
    kill(process)
    proxy.refuse = 8
    run(*arguments)
    assert parts(fetch(store, "killed", tmp_path / "killed")) == parts(calm)
    assert "complete" in run("verify", at(store, "killed"))
    state = b"".join(Place.at(at(store, f"killed/_faces/{name}")).read() for name in ("run.json", "report.json"))
    assert SECRET.encode() not in state
