"""Which files of a folder are read, and what is said of the others."""

import os

import pytest
from PIL import Image

from face_pictures.folders import pictures_in
from face_pictures.marks import COPY, COVERED, CROP, SHEET, mark


@pytest.fixture
def album(tmp_path):
    """album(name, …): makes these files, each a small picture, and gives the folder."""

    def make(*names, exif=None):
        for name in names:
            path = tmp_path / "album" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 3)).save(path, "PNG", exif=exif)
        return tmp_path / "album"

    return make


def read_in(folder):
    found = pictures_in(folder)
    return [str(path.relative_to(folder)) for path in found.files], list(found.notes())


def test_files_by_name_then_subfolders(album):
    names = ["b.JPG", "z.jfif", "a/2.heic", "a/1.mpo", "a/deeper/0.pgm", "c/1.jp2"]
    assert read_in(album(*names)) == (["b.JPG", "z.jfif", "a/1.mpo", "a/2.heic", "a/deeper/0.pgm", "c/1.jp2"], [])


@pytest.mark.parametrize(
    "name",
    [
        *(".thumbnails/a.png", ".Trash-1000/files/a.png", "@eaDir/a.png/THUMB_XL.png", ".ipynb_checkpoints/a-1.png"),
        *("._a.png", ".hidden.jpg", "sub/__MACOSX/a.png", "#recycle/a.png", "$RECYCLE.BIN/a.png", ".@__thumb/a.png"),
    ],
)
def test_hidden_ones_thumbnails_and_trash_are_left_out_and_named(name, album):
    files, notes = read_in(album("photo.png", name))
    assert files == ["photo.png"]
    (note,) = notes
    assert "hidden, thumbnails or trash" in note
    assert name.removeprefix("sub/").split("/")[0] in note


def test_a_hidden_folder_that_is_named_itself_is_read(album):
    assert read_in(album(".private/a.png") / ".private") == (["a.png"], [])


def test_what_is_said_is_short(album):
    folder = album("a.png", *(f"{n}/.thumbs/a.png" for n in range(1, 8)))
    (folder / ".DS_Store").touch()
    (folder / "notes.txt").touch()
    _, notes = read_in(folder)
    names = ", ".join(f"{n}/.thumbs" for n in range(1, 6))
    assert notes == [f"{folder}: left out {names} and 2 more (hidden, thumbnails or trash)"]


def test_pictures_that_are_not_read_are_named(album):
    folder = album("a.png")
    for name in ("b.CR2", "c.svg", "d.txt"):
        (folder / name).touch()
    files, (note,) = read_in(folder)
    assert files == ["a.png"]
    assert "left out b.CR2, c.svg (not read; JPEG, PNG," in note


def test_linked_folders_are_read_after_all_others_and_none_twice(album, tmp_path):
    folder = album("a.png", "z/real.png")
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "elsewhere" / "far.png")
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    (folder / "far").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder / "z")
    (folder / "self").symlink_to(folder)
    (folder / "up").symlink_to(tmp_path)
    (folder / "link.png").symlink_to(folder / "a.png")
    files, (note,) = read_in(folder)
    assert files == ["a.png", "link.png", "z/real.png", "far/far.png"]
    for name in ("again", "self", "up", "far/back"):
        assert name in note


def test_a_link_to_nowhere_stays_to_fail_by_its_name_and_a_pipe_is_left_out(album):
    folder = album("a.png")
    (folder / "b.png").symlink_to(folder / "gone.png")
    os.mkfifo(folder / "pipe.png")
    files, (note,) = read_in(folder)
    assert files == ["a.png", "b.png"]
    assert "pipe.png (no file)" in note


def test_a_folder_that_cannot_be_read_is_named(album, monkeypatch):
    folder = album("a.png", "locked/b.png")
    scandir = os.scandir

    def refuse(path):
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    # root may read anything.
    monkeypatch.setattr(os, "scandir", refuse)
    files, notes = read_in(folder)
    assert (files, notes) == (["a.png"], [f"{folder}: left out locked (Permission denied)"])


def test_what_the_command_made_of_these_pictures_is_left_out(album):
    album("clusters.png", exif=mark(SHEET))
    album("drawn/a.png", exif=mark(COPY))
    album("faces/a_1.png", exif=mark(f"{CROP}0123"))
    album("covered/a.png", exif=mark(COVERED))
    folder = album("a.png")
    files, (note,) = read_in(folder)
    # Faces are covered in copies that are photos like others.
    assert files == ["a.png", "covered/a.png"]
    assert "clusters.png, drawn/a.png, faces/a_1.png (made by this command)" in note
    # Apart from the picture that they were cut from, crops are what somebody wants to go on with.
    assert read_in(folder / "faces") == (["a_1.png"], [])
