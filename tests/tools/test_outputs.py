"""Files that verbs write: what is refused before the work, and whole files."""

import os
import stat

import pytest

from face_command import outputs
from face_command.outputs import OutputError, OutputRefused, check_file, write_text, write_whole


@pytest.fixture
def files(tmp_path):
    """A file that is read, one that is there, a folder, and paths that lead nowhere."""
    (tmp_path / "read").write_text("read")
    (tmp_path / "there").write_text("there")
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("read")
    os.link(tmp_path / "read", tmp_path / "hard")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "forced", "words"),
    [
        ("read", True, "would overwrite .*, which is read"),
        ("folder/../read", True, "which is read"),
        ("link", True, "which is read"),
        ("hard", True, "which is read"),
        ("there", False, "this command did not write; .* --force"),
        ("there", True, None),
        ("folder", True, "which is a folder"),
        ("there/new", False, "cannot be written: .*there is no folder"),
        ("folder/new/new", False, None),
        ("new", False, None),
        ("empty", False, None),
    ],
)
def test_what_is_refused_before_the_work(files, name, forced, words):
    def check():
        reads = outputs.identities([files / "read", files / "missing"])
        check_file("--out", files / name, reads=reads, is_ours=lambda _path: False, force=forced)

    if words is None:
        check()
    else:
        with pytest.raises(OutputRefused, match=words) as caught:
            check()
        assert str(caught.value).startswith(("--out is ", "--out would ", "--out "))
    assert sorted(path.name for path in files.rglob("*")) == ["empty", "folder", "hard", "link", "read", "there"]


def test_ones_own_is_replaced(files):
    check_file("--out", files / "there", is_ours=lambda path: path.read_text() == "there")


def test_a_device_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_file("--out", pipe, is_ours=lambda _path: False)
    write_text(pipe, "words")
    assert os.read(end, 10) == b"words"
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(end)


def test_a_file_is_whole_or_as_it_was(files):
    def break_off(file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"there cannot be written: No space left on device"):
        write_whole(files / "there", break_off)
    assert (files / "there").read_text() == "there"
    write_text(files / "link", "new")
    assert (files / "link").is_symlink()
    assert (files / "read").read_text() == "new"
    (files / "there").chmod(0o640)
    write_text(files / "there", "new")
    assert stat.S_IMODE((files / "there").stat().st_mode) == 0o640
    write_text(files / "made" / "below" / "new", "new")
    assert sorted(path.name for path in files.iterdir()) == ["empty", "folder", "hard", "link", "made", "read", "there"]


def test_a_disk_that_is_full(tmp_path):
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"full cannot be written: No space left on device"):
        write_text(tmp_path / "full", "words")
