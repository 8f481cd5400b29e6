"""What is listed of folders and lists, against what a person would count."""

import os
import random
from pathlib import Path

import pytest

from face_batch import places, sources
from face_batch.errors import BadSource
from face_batch.sources import list_source
from tests.batch.listing import contents, items_of, listed, write


def test_a_folder(tmp_path):
    write(tmp_path, "b.jpg", "a/x.PNG", "a/clip.MP4")
    write(tmp_path, ".hidden.jpg", "notes.txt", "old.svg", "@eaDir/b.jpg", ".git/c.jpg")
    assert listed(tmp_path, tmp_path) == [("a/clip.MP4", "video"), ("a/x.PNG", "picture"), ("b.jpg", "picture")]
    (note,) = [note for note in list_source(str(tmp_path)).notes if ".hidden.jpg" in note]
    assert "left out" in note
    assert contents(tmp_path) == {str(tmp_path / name): name.encode() for name in ("a/clip.MP4", "a/x.PNG", "b.jpg")}
    item = items_of(tmp_path)[-1]
    assert (item.file, item.offset, item.size) == (item.path, 0, 5)
    assert item.version == f"5-{(tmp_path / 'b.jpg').stat().st_mtime_ns}"


def test_a_folder_of_a_bucket(bucket):
    write(bucket, "f/b.jpg", "f/a/x.PNG", "f/a/clip.MP4", "f/.hidden.jpg", "f/notes.txt", "f/@eaDir/b.jpg", "g/c.jpg")
    expected = [("f/a/clip.MP4", "video"), ("f/a/x.PNG", "picture"), ("f/b.jpg", "picture")]
    assert listed("s3://bucket/f", "s3://bucket") == expected
    assert listed("s3://bucket/f/", "s3://bucket") == expected
    assert listed("s3://bucket", "s3://bucket") == [*expected, ("g/c.jpg", "picture")]
    assert contents("s3://bucket/g") == {"s3://bucket/g/c.jpg": b"g/c.jpg"}


def test_a_folder_with_names_that_no_table_can_hold(tmp_path):
    for name in (b"caf\xe9.jpg", "café.jpg".encode(), b"a\nb.jpg"):
        (tmp_path / os.fsdecode(name)).touch()
    assert listed(tmp_path, tmp_path) == [("a\nb.jpg", "picture"), ("café.jpg", "picture")]
    (note,) = list_source(str(tmp_path)).notes
    assert note == f"left out {tmp_path}/caf\\udce9.jpg (names that are not UTF-8, as a table's must be)"
    assert listed(tmp_path / "*.jpg", tmp_path) == [("a\nb.jpg", "picture"), ("café.jpg", "picture")]


def test_a_link_to_nowhere_is_told_of(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "nowhere")
    assert contents(tmp_path) == {f"{tmp_path}/a.jpg": ("missing", "is not there")}


def test_a_file_is_taken_whatever_it_is_called(tmp_path):
    write(tmp_path, "photo", "clip.mkv", "[1]*?.jpg")
    assert listed(tmp_path / "photo", tmp_path) == [("photo", "picture")]
    assert listed(tmp_path / "clip.mkv", tmp_path) == [("clip.mkv", "video")]
    assert listed(tmp_path / "[1]*?.jpg", tmp_path) == [("[1]*?.jpg", "picture")]


@pytest.mark.parametrize("seed", range(8))
def test_random_lists_are_sorted_and_have_each_path_once(tmp_path, seed, monkeypatch):
    """Against Python's own set; some of the names are there."""
    monkeypatch.setattr(sources, "_CHUNK", 7)
    choice = random.Random(seed)
    letters = "abzAZ09 _-.~éß日\U0001f600\uffff"
    named = ["x" + "".join(choice.choices(letters, k=choice.randrange(1, 4))) + ".jpg" for _ in range(100)]
    write(tmp_path, *named[::3])
    (tmp_path / "list.txt").write_text("\n".join(named), "utf-8")
    listing = list_source(str(tmp_path / "list.txt"))
    expected = sorted({f"{tmp_path}/{name}" for name in named})
    assert listing.items["path"].to_pylist() == expected
    sizes = [Path(path).stat().st_size if Path(path).exists() else -1 for path in expected]
    assert listing.items["size"].to_pylist() == sizes
    assert bool(listing.notes) == (len(expected) < len(named))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list(tmp_path, mark, end):
    write(tmp_path, "a.jpg", "sub/b.jpg", "clip.mp4", "2019\u2028.jpg")
    lines = ["a.jpg", "# mine", "", " sub/b.jpg ", str(tmp_path / "a.jpg"), "./clip.mp4", "gone.jpg", "2019\u2028.jpg"]
    (tmp_path / "list.txt").write_text(mark + end.join(lines), "utf-8", newline="")
    listing = list_source(str(tmp_path / "list.txt"))
    assert listed(tmp_path / "list.txt", tmp_path) == [
        ("2019\u2028.jpg", "picture"),
        ("a.jpg", "picture"),
        ("clip.mp4", "video"),
        ("gone.jpg", "picture"),
        ("sub/b.jpg", "picture"),
    ]
    assert listing.notes == ("1 paths were named more than once, and are read once",)
    assert contents(tmp_path / "list.txt")[f"{tmp_path}/gone.jpg"] == ("missing", "is not there")


def test_a_list_between_disks_and_buckets(tmp_path, bucket):
    write(tmp_path, "a.jpg")
    write(bucket, "f/a.jpg", "f/b/c.jpg")
    lines = ["a.jpg", "b/c.jpg", "s3://bucket/f/b/c.jpg", str(tmp_path / "a.jpg"), "s3://other/d.jpg"]
    (bucket / "f" / "list.txt").write_text("\n".join(lines))
    (tmp_path / "list.txt").write_text("\n".join(lines))
    there = {"s3://bucket/f/b/c.jpg": b"f/b/c.jpg", f"{tmp_path}/a.jpg": b"a.jpg"}
    gone = {"s3://other/d.jpg": ("missing", "is not there")}
    assert contents("s3://bucket/f/list.txt") == {**there, **gone, "s3://bucket/f/a.jpg": b"f/a.jpg"}
    assert contents(tmp_path / "list.txt") == {**there, **gone, f"{tmp_path}/b/c.jpg": ("missing", "is not there")}


@pytest.mark.usefixtures("bucket")
def test_a_list_opens_each_store_once(tmp_path, monkeypatch):
    opened = []
    open_one = places.filesystem
    monkeypatch.setattr(places, "filesystem", lambda *what: (opened.append(what[1]), open_one(*what))[1])
    lines = [f"s3://{name}/{n}.jpg" for n in range(20) for name in ("bucket", "other")]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    assert len(items_of(tmp_path / "list.txt")) == 40
    assert opened == ["bucket", "other"]


def test_lists_that_are_none(tmp_path):
    (tmp_path / "latin.txt").write_bytes("café.jpg".encode("latin-1"))
    with pytest.raises(BadSource, match=r"latin\.txt is no list of paths in UTF-8"):
        list_source(str(tmp_path / "latin.txt"))
    (tmp_path / "query.txt").write_text("s3://bucket/a.jpg?region=x")
    with pytest.raises(BadSource, match="stands in a list"):
        list_source(str(tmp_path / "query.txt"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "is not there"),
        ("empty", "holds no picture"),
        ("*.gif", "no file matches"),
        ("[", "no file matches"),
        ("nowhere/**/*.jpg", "no file matches"),
        ("empty.txt", "holds no picture"),
        ("comments.list", "holds no picture"),
    ],
)
@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_nothing_to_list(source, words, where, bucket):
    (bucket / "empty").mkdir()
    (bucket / "empty.txt").touch()
    (bucket / "comments.list").write_text("# a.jpg\n\n  \n")
    with pytest.raises(BadSource, match=words):
        list_source(str(bucket / source) if where == "disk" else f"s3://bucket/{source}")


def test_a_relative_source(tmp_path, monkeypatch):
    write(tmp_path, "p/a.jpg")
    monkeypatch.chdir(tmp_path)
    for source in ("p", "./p/", "p/*.jpg", "p/a.jpg"):
        assert [item.path for item in items_of(Path(source))] == [f"{tmp_path}/p/a.jpg"]
