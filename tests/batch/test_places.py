"""Files on disks and in stores: whole or not there, and no secret in any address."""

import contextlib
import io
import os
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from face_batch import places
from face_batch.addresses import split_query, store_of, words
from face_batch.errors import BadSource, DiskFailed, StoreUnavailable, TargetRefused
from face_batch.manifest import Target
from face_batch.places import Place
from face_batch.sources import list_source
from tests.disks import small_disk

SECRETS = (
    "s3://KEY:hush@bucket/photos",
    "s3://KEY:hu/hush@bucket/photos",
    "s3://KEY:hu?hush@bucket/photos",
    "s3://KEY:hu?h=hush@bucket/photos",
    "s3://KEY?h=hush@bucket/photos",
    "s3://KEY:hush/photos",
    "s3://hush@bucket",
    "gs://KEY:hush@bucket/photos?scheme=http",
    "az://account:hush@box/a",
    "s3://bucket/photos?access_key=KEY&secret_key=hush",
    "s3://bucket/photos?access_key=KEY&secret_key=hu/hush",
    "s3://bucket/*.jpg?secret_key=hu?hush",
    "s3://bucket/photos?region&secret_key=hush",
    "s3://bucket/photos?X-Amz-Signature=hush",
    "s3://bucket/photos?endpoint_override=KEY:hush@host:9000",
    "az://box/a.jpg?sig=hush",
    "https://KEY:hush@host/photos",
    "ftp://host/photos?password=hush",
)


@pytest.mark.parametrize("address", SECRETS)
@pytest.mark.parametrize("where", ["source", "target", "list", "list in a bucket", "column"])
def test_credentials_are_refused_and_not_shown(address, where, tmp_path, bucket):
    asked = {
        "source": lambda: list_source(address),
        "target": lambda: Target.at(address),
        "list": lambda: list_source(str(tmp_path / "list.txt")),
        "list in a bucket": lambda: list_source("s3://bucket/list.txt"),
        "column": lambda: list_source(str(tmp_path / "t.parquet"), "x"),
    }
    (tmp_path / "list.txt").write_text(f"s3://bucket/a.jpg\n{address}\n")
    (bucket / "list.txt").write_text(f"s3://bucket/a.jpg\n{address}\n")
    pq.write_table(pa.table({"x": ["s3://bucket/a.jpg", address]}), tmp_path / "t.parquet")
    with pytest.raises((TargetRefused, BadSource)) as refused:
        asked[where]()
    assert "hush" not in str(refused.value)
    assert "KEY" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://host/x", "http://host/x is no address that is read"),
        ("file:///x", "is no address that is read"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://buck*/x", "names no bucket"),
        ("s3://bucket/x?retries=3", "s3://bucket/x says retries= of its store; it may say endpoint_override"),
        ("az://box/x?region=y", "it may say nothing"),
    ],
)
def test_addresses_that_are_none(address, said):
    with pytest.raises(TargetRefused) as refused:
        Place.at(address)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("address", "bare", "query"),
    [
        ("photos/?.jpg", "photos/?.jpg", ""),
        ("a?b=c.jpg", "a?b=c.jpg", ""),
        ("s3://b/x", "s3://b/x", ""),
        ("s3://b/?.jpg", "s3://b/?.jpg", ""),
        ("s3://b/year=202?/day=1/a.jpg", "s3://b/year=202?/day=1/a.jpg", ""),
        ("s3://b/?.jpg?region=x", "s3://b/?.jpg", "region=x"),
        ("s3://b?region=x&endpoint_override=http://h:1", "s3://b", "region=x&endpoint_override=http://h:1"),
    ],
)
def test_what_an_address_says_of_its_store(address, bare, query):
    assert split_query(address) == (bare, query)


def test_what_a_connection_is_for():
    assert [store_of(address) for address in ("/a/b", "s3://b/c/d", "gs://b")] == ["", "s3://b", "gs://b"]


def test_addresses_become_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Place.at("a/b/").address == f"{tmp_path}/a/b"
    assert Place.at("s3://bucket?endpoint_override=127.0.0.1:1&scheme=http&region=us-east-1").path == "bucket"
    there = Place.at("s3://bucket/a/b/?region=us-east-1")
    assert (there.address, there.store, there.is_local) == ("s3://bucket/a/b", "s3://bucket", False)
    assert (there / "c").address == "s3://bucket/a/b/c"
    assert Place.at("gs://bucket?anonymous=true").address == "gs://bucket"


def test_who_tells_where_a_bucket_is(monkeypatch):
    """A store of one's own is not asked of Amazon."""
    asked = []
    monkeypatch.setattr(fs, "resolve_s3_region", lambda bucket: (asked.append(bucket), "eu-west-1")[1])
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    assert Place.at("s3://one/x").filesystem.region == "eu-west-1"
    assert Place.at("s3://two/x?region=us-west-2").filesystem.region == "us-west-2"
    Place.at("s3://three/x?endpoint_override=127.0.0.1:1&scheme=http")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    Place.at("s3://four/x")
    assert asked == ["one"]


@pytest.mark.parametrize("address", ["{folder}", "s3://bucket"])
def test_random_doings_are_those_of_a_dictionary(address, tmp_path, bucket):
    choice = random.Random(0)
    root = Place.at(address.format(folder=tmp_path / "there"))
    files = {}
    for _ in range(300):
        name = "/".join([*choice.choices("ab", k=choice.randrange(3)), choice.choice("xyz")])
        place = root / name
        match choice.randrange(4):
            case 0:
                if not root.is_local:
                    # A store has no folders; this one is one.
                    (bucket / name).parent.mkdir(parents=True, exist_ok=True)
                files[name] = choice.randbytes(choice.choice((0, 3, 5000)))
                place.write(files[name])
            case 1:
                place.delete()
                files.pop(name, None)
            case 2:
                begin, size = choice.randrange(6000), choice.randrange(6000)
                if name in files:
                    assert place.read() == files[name]
                    assert place.read_part(begin, size) == files[name][begin : begin + size]
                else:
                    for ask in (place.read, place.open, lambda place=place: place.read_part(0, 1)):
                        with pytest.raises(FileNotFoundError):
                            ask()
            case 3:
                entry = place.info()
                assert (entry.size if entry else None) == (len(files[name]) if name in files else None)
        found = {entry.path.removeprefix(f"{root.path}/"): entry.size for entry in root.files()}
        assert found == {name: len(content) for name, content in files.items()}
        assert {entry.path.removeprefix(f"{root.path}/") for entry in root.files(recursive=False)} == {
            name for name in files if "/" not in name
        }


def test_a_file_that_is_written_again_is_another(tmp_path):
    place = Place.at(str(tmp_path / "x"))
    place.write(b"1")
    before = place.info().version
    os.utime(tmp_path / "x", ns=(0, 5))
    assert place.info().version != before
    assert Place.at(str(tmp_path)).info() is None
    assert Place.at(str(tmp_path)).is_folder()


def names(folder):
    return sorted(file.name for file in folder.rglob("*"))


def test_a_disk_that_is_full(tmp_path):
    with small_disk(tmp_path):
        Place.at(str(tmp_path / "a")).write(b"before")
        for name in "ab":
            with pytest.raises(DiskFailed, match=f"{tmp_path}/{name} cannot be written: No space left on device"):
                Place.at(str(tmp_path / name)).write(bytes(100_000))
        assert names(tmp_path) == ["a"]
        assert (tmp_path / "a").read_bytes() == b"before"


_LIMITED = """
import resource, signal, sys
from face_batch.places import Place
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Place.at(sys.argv[1]).write(bytes(5000))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_a_file_that_must_not_be_so_large(tmp_path):
    told = subprocess.run(
        [sys.executable, "-c", _LIMITED, tmp_path / "x"], capture_output=True, text=True, check=True
    ).stdout
    assert told == f"DiskFailed: {tmp_path}/x cannot be written: File too large\n"
    assert names(tmp_path) == []


def test_an_interrupt_leaves_nothing_half(tmp_path, monkeypatch):
    def interrupted(_file):
        raise KeyboardInterrupt

    (tmp_path / "x").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Place.at(str(tmp_path / "x")).write(b"after")
    assert names(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"before"


@pytest.mark.parametrize("name", ["file/x", "folder"])
def test_places_that_cannot_be_written(name, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "y").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/{name} cannot be written: "):
        Place.at(str(tmp_path / name)).write(b"1")
    assert names(tmp_path) == ["file", "folder", "y"]


_KILLED = """
import os, signal, sys
from face_batch.places import Place
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
Place.at(sys.argv[1]).write(b"half")
"""


def test_what_a_killed_process_left_is_cleaned(tmp_path):
    for name in ("part.parquet", "state/run.json"):
        subprocess.run([sys.executable, "-c", _KILLED, tmp_path / name], check=False)
    for name in (".other.part", "mine.part", "state/x"):
        (tmp_path / name).touch()
    left = [name for name in names(tmp_path) if name.startswith((".part.parquet.", ".run.json."))]
    assert len(left) == 2
    Place.at(str(tmp_path)).clean()
    assert names(tmp_path) == [".other.part", "mine.part", "state", "x"]


def test_a_file_of_a_store_reads_as_any(bucket):
    choice = random.Random(0)
    content = choice.randbytes(20_000)
    (bucket / "x").write_bytes(content)
    with Place.at("s3://bucket/x").open() as file:
        expected = io.BytesIO(content)
        for _ in range(500):
            if choice.random() < 0.5:
                whence = choice.randrange(3)
                offset = choice.randrange(-3000, 1000) if whence == 2 else choice.randrange(3000)
                assert file.seek(offset, whence) == expected.seek(offset, whence)
            size = choice.choice((-1, 0, 1, 700))
            assert file.read(size) == expected.read(size)
            assert file.tell() == expected.tell()


class Ill:
    """A store that answers with these errors, one after the other, then with `b`. asked: what it was asked."""

    def __init__(self, *errors, lists=True):
        self.errors = list(errors)
        self.asked = 0
        self.lists = lists

    def open_input_stream(self, _path):
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return contextlib.nullcontext(io.BytesIO(b"b"))

    def get_file_info(self, selector):
        assert isinstance(selector, fs.FileSelector)
        if not self.lists:
            raise OSError("AWS Error INVALID_ACCESS_KEY_ID during ListObjectsV2 operation")
        return []


@pytest.fixture
def pauses(monkeypatch):
    found = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


BUSY = OSError("AWS Error SLOW_DOWN during GetObject operation:\n  Please reduce your request rate")
DENIED = OSError("AWS Error ACCESS_DENIED during HeadObject operation: No response body.")


def test_a_busy_store_is_asked_again_and_later_and_later(pauses):
    store = Ill(*[BUSY] * 4)
    assert Place(store, "bucket/x", "s3://").read() == b"b"
    assert pauses == sorted(set(pauses))
    assert (store.asked, len(pauses)) == (5, 4)


def test_a_store_that_stays_busy(pauses):
    with pytest.raises(StoreUnavailable) as refused:
        Place(Ill(*[BUSY] * 9), "bucket/x", "s3://").read()
    assert str(refused.value).startswith("s3://bucket/x: AWS Error SLOW_DOWN during GetObject operation: Please reduce")
    assert "\n" not in str(refused.value)
    assert 5 < sum(pauses) < 60


@pytest.mark.parametrize("word", places._FINAL)
def test_what_asking_again_does_not_mend(word, pauses):
    store = Ill(OSError(f"AWS Error {word} during GetObject operation"), lists=False)
    with pytest.raises(StoreUnavailable):
        Place(store, "bucket/x", "s3://").read()
    assert (store.asked, pauses) == (1, [])


@pytest.mark.parametrize(
    "error", [DENIED, OSError("AWS Error INVALID_OBJECT_STATE during GetObject operation"), FileNotFoundError("x")]
)
def test_what_is_of_one_file_is_no_fault_of_the_store(error, pauses):
    with pytest.raises((PermissionError, FileNotFoundError)):
        Place(Ill(error), "bucket/x", "s3://").read()
    assert pauses == []


def test_a_disk_is_asked_once(pauses):
    with pytest.raises(OSError, match="I/O"):
        Place(Ill(OSError(5, "I/O error")), "/x", "").read()
    assert pauses == []


def test_words_of_errors():
    assert words(OSError(28, "Failed to write to '/x'. Detail: [errno 28]")) == "No space left on device"
    assert words(OSError("a\n b" + 400 * "c")) == "a b" + 297 * "c"
    assert words(ValueError("x")) == "x"


def test_an_account_of_azure_is_named(monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT", raising=False)
    with pytest.raises(BadSource, match="AZURE_STORAGE_ACCOUNT"):
        Place.at("az://box/x")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "mine")
    monkeypatch.setenv("AZURE_STORAGE_KEY", "aHVzaA==")
    assert Place.at("az://box/x").path == "box/x"
