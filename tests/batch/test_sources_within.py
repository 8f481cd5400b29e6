"""Pictures within files: cells of Parquet columns, members of tar files."""

import os
import random
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_batch.errors import BadSource
from face_batch.sources import list_source
from tests.batch.listing import archive, contents, listed, write

PICTURES = [f"picture {number}".encode() if number % 4 else None for number in range(30)]


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_parquet_columns(where, bucket):
    write(bucket, "a.jpg", "b.jpg")
    paths = ["a.jpg", None, "b.jpg", "gone.jpg", "", *[None] * 25]
    images = [{"bytes": picture, "path": "x.jpg"} for picture in PICTURES]
    table = pa.table(
        {
            "where": paths,
            "large": pa.array(paths, pa.large_string()),
            "category": pa.array(paths).dictionary_encode(),
            "bytes": PICTURES,
            "largebytes": pa.array(PICTURES, pa.large_binary()),
            "image": [*images[:7], None, *images[8:]],
            "deep": [{"more": image} for image in images],
            "number": list(range(30)),
        }
    )
    pq.write_table(table, bucket / "t.parquet", row_group_size=7)
    below = str(bucket) if where == "disk" else "s3://bucket"
    file = f"{below}/t.parquet"
    for column in ("where", "large", "category"):
        assert [name for name, _ in listed(file, below, column)] == ["a.jpg", "b.jpg", "gone.jpg"]
    assert listed(file, below, "image.path") == [("x.jpg", "picture")]
    for column in ("bytes", "largebytes", "image.bytes", "deep.more.bytes"):
        expected = list(PICTURES)
        if column == "image.bytes":
            expected[7] = None
        assert contents(file, column) == {
            f"{file}#{row:010d}": picture or ("missing", "the cell is empty") for row, picture in enumerate(expected)
        }


def test_several_parquet_files(tmp_path):
    for number in range(3):
        pq.write_table(pa.table({"x": [b"%d" % number, b"more"]}), tmp_path / f"{number}.parquet")
    assert list(contents(tmp_path / "*.parquet", "x").values()) == [b"0", b"more", b"1", b"more", b"2", b"more"]


def test_parquet_columns_that_are_none(tmp_path):
    pq.write_table(pa.table({"number": [1], "image": [{"bytes": b"1"}]}), tmp_path / "t.parquet")
    for column, words in [
        (None, "name the column"),
        ("nowhere", "has no column nowhere; it has number, image"),
        ("image.nothing", "has no column"),
        ("number.x", "has no column"),
        ("number", "is of int64, must be strings"),
        ("image", r"is of struct<bytes: binary>, must be .*; a field of a struct is named column\.field"),
    ]:
        with pytest.raises(BadSource, match=words):
            list_source(str(tmp_path / "t.parquet"), column)
    with pytest.raises(BadSource, match="names none"):
        list_source(str(tmp_path), "number")
    pq.write_table(pa.table({"x": pa.array([], pa.binary())}), tmp_path / "t.parquet")
    with pytest.raises(BadSource, match="holds no picture"):
        list_source(str(tmp_path / "t.parquet"), "x")
    (tmp_path / "t.parquet").write_bytes(b"no table")
    with pytest.raises(BadSource, match="no Parquet file"):
        list_source(str(tmp_path / "t.parquet"), "number")


def test_a_column_of_paths_that_is_damaged(tmp_path):
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": ["some path"] * 1000}), file, compression="none", use_dictionary=False)
    content = bytearray(file.read_bytes())
    content[4:40] = bytes(36)
    file.write_bytes(content)
    with pytest.raises(BadSource, match=r"t\.parquet cannot be listed"):
        list_source(str(file), "x")


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_members_of_tar_files(where, style, bucket):
    choice = random.Random(style)
    below = str(bucket) if where == "disk" else "s3://bucket"
    expected = {}
    for number in range(2):
        file = f"train-{number}.tar"
        # From nothing to more than is read at once.
        members = [(f"{n:04d}.jpg", choice.randbytes(choice.choice([0, 10, 3000, 1 << 21]))) for n in range(12)]
        members += [(f"{'long/' * 25}{n}.jpg", b"%d" % n) for n in range(3)]
        others = [("0000.json", b"{}"), ("sub/.y.png", b"y"), ("@eaDir/z.jpg", b"z")]
        archive(bucket / file, [*members, *others, ("./sub/x.PNG", b"x")], format=style)
        expected |= {f"{below}/{file}/{name}": content for name, content in [*members, ("sub/x.PNG", b"x")]}
    assert contents(f"{below}/train-*.tar") == expected


def test_a_tar_file_with_folders_links_and_strange_names(tmp_path):
    folder = write(tmp_path / "in", "a/b.jpg")
    (folder / "link.jpg").symlink_to("a/b.jpg")
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(folder, ".")
    latin = os.fsdecode(b"caf\xe9.jpg")
    archive(tmp_path / "u.tar", [(latin, b"1"), ("/abs.jpg", b"2"), ("a.jpg", b"3"), ("a.jpg", b"4")])
    assert contents(tmp_path / "t.tar") == {f"{tmp_path}/t.tar/a/b.jpg": b"a/b.jpg"}
    assert contents(tmp_path / "u.tar") == {
        f"{tmp_path}/u.tar//abs.jpg": b"2",
        f"{tmp_path}/u.tar/a.jpg": b"3",
        f"{tmp_path}/u.tar/caf\\udce9.jpg": b"1",
    }
    assert list_source(str(tmp_path / "u.tar")).notes == ("1 paths were named more than once, and are read once",)


@pytest.mark.parametrize("suffix", ["tar.gz", "tgz", "tar.bz2", "tar.xz", "TAR.ZST"])
def test_compressed_tar_files_are_refused(suffix, tmp_path):
    (tmp_path / f"x.{suffix}").touch()
    with pytest.raises(BadSource, match="is compressed"):
        list_source(str(tmp_path / f"x.{suffix}"))


def test_tar_files_that_are_none(tmp_path):
    archive(tmp_path / "cut.tar", [("a.jpg", bytes(50_000)), ("b.jpg", bytes(50_000))])
    whole = (tmp_path / "cut.tar").read_bytes()
    with tarfile.open(tmp_path / "gz.tar", "w:gz"):
        pass
    for name, content in [("x", b"no archive" * 100), ("empty", b""), ("cut", whole[:70_000]), ("gz", None)]:
        if content is not None:
            (tmp_path / f"{name}.tar").write_bytes(content)
        with pytest.raises(BadSource, match=rf"{name}\.tar is no tar file that can be read"):
            list_source(str(tmp_path / f"{name}.tar"))
