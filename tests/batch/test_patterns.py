"""Patterns name what they name in a shell, on disks and in buckets."""

import glob
import random

import pytest

from face_batch.errors import BadSource
from face_batch.sources import list_source
from tests.batch.listing import listed, write

PATTERNS = (
    *("*.jpg", "**/*.jpg", "a/*", "a/**", "**", "?.png", "[ab]/*.jpg", "[!a]/*", "**/x?.*", "*/b/*", "*/*/*"),
    *("x**.jpg", "**/b/**/x*", "a*/**/*.png", "x[1-3]*", "[", "*[*", "a/**/b/**"),
    *(".*", ".a/*", "**/.a/*", "*/.x*", "[.]x.jpg"),
)


def some_files(folder, seed):
    choice = random.Random(seed)

    def name():
        folders = choice.choices(["a", "b", "ab", ".a", "[c]"], k=choice.randrange(4))
        stem = choice.choice(["x", "y", ".x", "x[", "x"]) + choice.choice(["", "1", "22"])
        return "/".join([*folders, stem + choice.choice([".jpg", ".png"])])

    names = {name() for _ in range(150)}
    write(folder, *names)
    return names


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("seed", range(2))
def test_patterns_are_those_of_shells(pattern, seed, bucket):
    """On disks and in buckets as Python's glob has them."""
    some_files(bucket, seed)
    found = glob.glob(pattern, root_dir=bucket, recursive=True)  # noqa: PTH207
    expected = {name for name in found if (bucket / name).is_file()}
    for source, below in ((bucket / pattern, bucket), (f"s3://bucket/{pattern}", "s3://bucket")):
        if expected:
            assert {name for name, _ in listed(source, below)} == expected
        else:
            with pytest.raises(BadSource, match="no file matches"):
                list_source(str(source))


@pytest.mark.parametrize("where", ["disk", "bucket"])
def test_patterns_leave_out_what_nobody_means(where, bucket):
    """Thumbnails; and lists and tables among pictures are none."""
    write(bucket, "a.jpg", "c.dat", "Summer [2019]/d.jpg")
    write(bucket, "@eaDir/a.jpg", "lost+found/b.jpg", "notes.txt", "meta.parquet")
    (bucket / "list.txt").write_text("a.jpg")
    below = str(bucket) if where == "disk" else "s3://bucket"
    assert [name for name, _ in listed(f"{below}/**", below)] == ["Summer [2019]/d.jpg", "a.jpg", "c.dat"]
    (note,) = list_source(f"{below}/**").notes
    assert all(name in note for name in ("notes.txt", "list.txt", "meta.parquet"))
    assert listed(f"{below}/@eaDir/*", below) == [("@eaDir/a.jpg", "picture")]
    assert listed(f"{below}/li*.txt", below) == [("a.jpg", "picture")]
    assert listed(f"{below}/Summer [2019]", below) == [("Summer [2019]/d.jpg", "picture")]
    assert listed(f"{below}/Summer [2019]/*", below) == [("Summer [2019]/d.jpg", "picture")]


def test_a_pattern_follows_no_links_in_circles(tmp_path):
    write(tmp_path, "a/x.jpg")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "a" / "more").symlink_to(tmp_path)
    assert listed(tmp_path / "**" / "*.jpg", tmp_path) == [("a/x.jpg", "picture")]
