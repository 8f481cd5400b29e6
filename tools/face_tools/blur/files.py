"""Which files are made of what is named: a file of the same kind for each picture and each video, and none overwritten
that this command did not write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from face_client.errors import InvalidInput
from face_command import outputs
from face_pictures.formats import SUFFIXES
from face_pictures.marks import COVERED, KEEP_MARKS, marked
from face_tools import pictures
from face_tools.pictures import Picture
from face_tools.video.frames import VIDEO_SUFFIXES

WRITTEN_VIDEOS = (".mp4", ".m4v", ".mov", ".mkv")
"""Of the writer, which needs PyAV to be asked."""

# Formats with loss, whose pictures would be several times as large without.
_LOSSY = frozenset((".heic", ".heif", ".hif", ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"))


class Plan(NamedTuple):
    """What is read, in order, and the file that is made of each."""

    pictures: list[Picture]
    videos: list[Picture]
    targets: dict[Picture, Path]


def plan(paths: Sequence[str], out: str, force: bool) -> Plan:
    """What is to be done. out: a folder, or a file's name where there is one file to read.

    Raises InvalidInput where there is nothing to read, OutputRefused where a file that is there would be lost.
    """
    found = _outside(pictures.find(paths, VIDEO_SUFFIXES), paths, Path(out))
    if not found:
        raise InvalidInput(f"no picture and no video in {', '.join(paths)}")
    targets = [Path(out)] if _is_file_name(out, paths) else _in_folder(found, Path(out))
    reads = outputs.identities(picture.path for picture in found)
    for picture, target in zip(found, targets):
        _check(picture, target, reads, force)
    videos = [picture for picture in found if _is_video(picture.path)]
    shown = [picture for picture in found if not _is_video(picture.path)]
    return Plan(shown, videos, dict(zip(found, targets)))


def _outside(found: list[Picture], paths: Sequence[str], out: Path) -> list[Picture]:
    """Without what an earlier run wrote into a folder below one that is read. A folder that is read itself, or lies in
    `out`, stays: to write there is refused."""
    folders = [path.resolve() for path in map(Path, paths) if path.is_dir()]
    place = out.resolve()
    if not any(folder in place.parents for folder in folders):
        return found
    named = {Path(path) for path in paths}
    return [picture for picture in found if picture.path in named or place not in picture.path.resolve().parents]


def _is_file_name(out: str, paths: Sequence[str]) -> bool:
    """Whether OUT names the file to write, as with `cp`: there is one to read, and the name is that of a file."""
    is_one = len(paths) == 1 and not Path(paths[0]).is_dir()
    suffix = Path(out).suffix.lower()
    is_known = suffix in SUFFIXES or suffix in VIDEO_SUFFIXES
    return is_one and is_known and not out.endswith("/") and not Path(out).is_dir()


def _in_folder(found: Sequence[Picture], folder: Path) -> list[Path]:
    return pictures.unlike(_written(folder / picture.place) for picture in found)


def _written(path: Path) -> Path:
    """The path with the suffix of a format that is written, behind that of one that is not."""
    suffix = path.suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return path if suffix in WRITTEN_VIDEOS else path.with_name(f"{path.name}.mp4")
    if suffix in KEEP_MARKS:
        return path
    return path.with_name(f"{path.name}{'.jpg' if suffix in _LOSSY else '.png'}")


def _check(picture: Picture, target: Path, reads: Collection[outputs.Identity], force: bool) -> None:
    wanted, kind = (WRITTEN_VIDEOS, "video") if _is_video(picture.path) else (sorted(KEEP_MARKS), "picture")
    if target.suffix.lower() not in wanted:
        raise outputs.OutputRefused(f"OUT is {target}; a {kind} is written to {', '.join(wanted)}")
    outputs.check_file("OUT", target, reads=reads, is_ours=_is_ours, force=force)


def _is_ours(path: Path) -> bool:
    """Whether a file was written by `faces blur`, by the mark in it."""
    if not _is_video(path):
        return marked(path) == COVERED
    from face_tools.video.writing import is_copy

    return is_copy(path, COVERED)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES
