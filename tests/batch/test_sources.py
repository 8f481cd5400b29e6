"""What is listed: each kind of source, against what a person would count."""

import fnmatch
import io
import os
import random
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch.errors import BadSource, TargetRefused
from face_batch.reading import NotRead, Reader
from face_batch.sources import Item, list_source


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def listed(source, folder, column=None):
    """Paths below the folder, and kinds."""
    rows = list_source(str(source), column).items.to_pylist()
    assert [row["path"] for row in rows] == sorted({row["path"] for row in rows})
    return [(row["path"].removeprefix(f"{folder}/"), row["kind"]) for row in rows]


def contents(source, column=None):
    items = [Item(**row) for row in list_source(str(source), column).items.to_pylist()]
    found = Reader(column=column).read_all(items)
    return [(item.path, data if isinstance(data, bytes) else (data.status, str(data))) for item, data in found]


def test_a_folder(tmp_path):
    write(tmp_path, "b.jpg", "a/x.PNG", "a/clip.MP4", ".hidden.jpg", "notes.txt", "old.svg", "@eaDir/b.jpg")
    assert listed(tmp_path, tmp_path) == [("a/clip.MP4", "video"), ("a/x.PNG", "picture"), ("b.jpg", "picture")]
    (note,) = [note for note in list_source(str(tmp_path)).notes if ".hidden.jpg" in note]
    assert "left out" in note
    assert contents(tmp_path) == [(str(tmp_path / name), name.encode()) for name in ("a/clip.MP4", "a/x.PNG", "b.jpg")]


def test_a_file_is_taken_whatever_it_is_called(tmp_path):
    write(tmp_path, "photo", "clip.mkv")
    assert listed(tmp_path / "photo", tmp_path) == [("photo", "picture")]
    assert listed(tmp_path / "clip.mkv", tmp_path) == [("clip.mkv", "video")]


@pytest.mark.parametrize(
    "pattern", ["*.jpg", "**/*.jpg", "a/*", "a/**", "?.png", "[ab]/*.jpg", "[!a]/*", "**/x?.*", "*/b/*"]
)
def test_patterns_are_those_of_shells(pattern, tmp_path):
    choice = random.Random(0)

    def name():
        folders = choice.choices("abc", k=choice.randrange(3))
        return "/".join(
            [*folders, choice.choice("xyz") + choice.choice(["", "1", "22"]) + choice.choice([".jpg", ".png"])]
        )

    names = {name() for _ in range(150)}
    write(tmp_path, *names)
    expected = {str(path.relative_to(tmp_path)) for path in tmp_path.glob(pattern) if path.is_file()}
    if pattern.endswith("**"):
        # In a shell it names what is below, too; pathlib's names folders only.
        expected = {name for name in names if fnmatch.fnmatch(name, "a/*")}
    assert {name for name, _ in listed(tmp_path / pattern, tmp_path)} == expected


def test_a_list(tmp_path):
    write(tmp_path, "a.jpg", "sub/b.jpg", "clip.mp4")
    lines = ["# mine", "", "a.jpg", " sub/b.jpg ", str(tmp_path / "a.jpg"), "clip.mp4", "gone.jpg"]
    (tmp_path / "sub" / ".." / "list.txt").write_text("\n".join(lines))
    listing = list_source(str(tmp_path / "list.txt"))
    assert [row["path"].removeprefix(f"{tmp_path}/") for row in listing.items.to_pylist()] == [
        "a.jpg",
        "clip.mp4",
        "gone.jpg",
        "sub/b.jpg",
    ]
    assert listing.notes == ("1 paths were named more than once, and are read once",)
    assert dict(contents(tmp_path / "list.txt"))[str(tmp_path / "gone.jpg")] == ("missing", "is not there")


def test_a_file_that_came_after_the_manifest(tmp_path):
    (tmp_path / "list.txt").write_text("late.jpg")
    (item,) = [Item(**row) for row in list_source(str(tmp_path / "list.txt")).items.to_pylist()]
    write(tmp_path, "late.jpg")
    ((_, data),) = Reader().read_all([item])
    assert (data.status, str(data)) == ("changed", "was not there when the manifest was made")


def test_parquet_columns(tmp_path):
    write(tmp_path, "a.jpg", "b.jpg")
    pictures = [f"picture {number}".encode() if number % 4 else None for number in range(30)]
    table = pa.table(
        {
            "where": ["a.jpg", None, "b.jpg", "gone.jpg", *[None] * 26],
            "bytes": pictures,
            "image": [{"bytes": picture, "path": "x"} for picture in pictures],
            "number": list(range(30)),
        }
    )
    file = tmp_path / "t.parquet"
    pq.write_table(table, file, row_group_size=7)
    assert [name for name, _ in listed(file, tmp_path, "where")] == ["a.jpg", "b.jpg", "gone.jpg"]
    for column in ("bytes", "image.bytes"):
        found = contents(file, column)
        assert [path for path, _ in found] == [f"{file}#{row:010d}" for row in range(30)]
        assert [data for _, data in found] == [picture or ("missing", "the cell is empty") for picture in pictures]
    assert listed(file, tmp_path, "image.path") == [("x", "picture")]


def test_parquet_columns_that_are_none(tmp_path):
    pq.write_table(pa.table({"number": [1], "image": [{"bytes": b"1"}]}), tmp_path / "t.parquet")
    for column, words in [
        (None, "name the column"),
        ("nowhere", "has no column nowhere; it has number, image"),
        ("image.nothing", "has no column"),
        ("number.x", "has no column"),
        ("number", "is of int64, must be strings"),
    ]:
        with pytest.raises(BadSource, match=words):
            list_source(str(tmp_path / "t.parquet"), column)
    with pytest.raises(BadSource, match="names none"):
        list_source(str(tmp_path), "number")
    (tmp_path / "t.parquet").write_bytes(b"no table")
    with pytest.raises(BadSource, match="no Parquet file"):
        list_source(str(tmp_path / "t.parquet"), "number")


def archive(file, members):
    with tarfile.open(file, "w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize("seed", range(3))
def test_members_of_tar_files(tmp_path, seed):
    choice = random.Random(seed)
    expected = {}
    for number in range(3):
        file = tmp_path / f"train-{number}.tar"
        # From nothing to more than is read at once.
        members = [(f"{n:04d}.jpg", choice.randbytes(choice.choice([0, 10, 3000, 1 << 21]))) for n in range(20)]
        archive(
            file, [*members, ("0000.json", b"{}"), ("./sub/x.png", b"x"), ("sub/.y.png", b"y"), ("0000.jpg", b"again")]
        )
        expected |= {f"{file}/{name}": content for name, content in [*members, ("sub/x.png", b"x")]}
    found = dict(contents(tmp_path / "train-*.tar"))
    assert found.keys() == expected.keys()
    twice = {f"{tmp_path}/train-{number}.tar/0000.jpg" for number in range(3)}
    assert all(found[path] == expected[path] for path in expected.keys() - twice)


def test_tar_files_that_are_none(tmp_path):
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz"):
        pass
    with pytest.raises(BadSource, match="compressed"):
        list_source(str(tmp_path / "x.tar.gz"))
    (tmp_path / "y.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(BadSource, match="no tar file"):
        list_source(str(tmp_path / "y.tar"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "is not there"),
        ("empty", "holds no picture"),
        ("*.gif", "no file matches"),
        ("empty.txt", "holds no"),
    ],
)
def test_nothing_to_list(source, words, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.txt").touch()
    with pytest.raises(BadSource, match=words):
        list_source(str(tmp_path / source))


@pytest.mark.parametrize(
    "address", ["s3://key:secret@bucket/x", "s3://bucket/x?access_key=secret", "gs://a:secret@b/x"]
)
def test_credentials_are_refused_and_not_shown(address, tmp_path):
    (tmp_path / "list.txt").write_text(address)
    for source in (address, tmp_path / "list.txt"):
        with pytest.raises(TargetRefused) as refused:
            list_source(str(source))
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("status", ["missing", "changed"])
def test_what_is_no_longer_the_manifests(status, tmp_path):
    write(tmp_path, "a.jpg", "b.jpg")
    items = [Item(**row) for row in list_source(str(tmp_path)).items.to_pylist()]
    file = tmp_path / "a.jpg"
    file.unlink()
    if status == "changed":
        file.write_bytes(b"other")
    (_, first), (_, second) = Reader().read_all(items)
    assert isinstance(first, NotRead)
    assert first.status == status
    assert second == b"b.jpg"


def test_a_file_that_must_not_be_read():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        write(Path(folder), "a.jpg")
        (item,) = [Item(**row) for row in list_source(folder).items.to_pylist()]
        (Path(folder) / "a.jpg").chmod(0)
        root = os.geteuid() == 0
        if root:
            # Who may read everything.
            os.seteuid(65534)
        try:
            ((_, found),) = Reader().read_all([item])
        finally:
            if root:
                os.seteuid(0)
    assert isinstance(found, NotRead)
    assert (found.status, str(found)) == ("unreadable", "Permission denied")


def test_reading_ahead_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("face_batch.reading._AHEAD_BYTES", 40)
    write(tmp_path, *(f"{number:02d}.jpg" for number in range(50)))
    items = [Item(**row) for row in list_source(str(tmp_path)).items.to_pylist()]
    reader = Reader()
    read = []
    whole = reader.read
    monkeypatch.setattr(reader, "read", lambda item: (read.append(item), whole(item))[1])
    for taken, (item, data) in enumerate(reader.read_all(items), 1):
        assert data == Path(item.path).name.encode()
        # Six bytes each.
        assert len(read) <= taken + 40 // 6 + 1
