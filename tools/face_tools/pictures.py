"""The pictures that a verb is given: files, folders and stdin; and where it puts what it makes of each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from face_client.errors import InvalidInput
from face_command import console, outputs
from face_pictures.folders import pictures_in
from face_pictures.formats import SUFFIXES
from face_pictures.marks import COPY, KEEP_MARKS, SHEET, marked


class Picture(NamedTuple):
    """A file to read. place: its path below the folder that was named, or its name."""

    path: Path
    place: Path


STDIN = Picture(Path("-"), Path("stdin"))
"""The picture whose bytes come on standard input; `./-` is a file of that name."""


def picture_at(path: str) -> Picture:
    """The file of that name, or stdin for `-`."""
    return STDIN if path == str(STDIN.path) else Picture(Path(path), Path(Path(path).name))


def content(picture: Picture) -> Path | bytes:
    """What the client is given: the path, or the bytes from stdin."""
    return _stdin() if picture is STDIN else picture.path


@lru_cache(maxsize=1)
def _stdin() -> bytes:
    """Read once, and wanted again for a copy."""
    return sys.stdin.buffer.read()


def add_paths(parser: argparse.ArgumentParser) -> None:
    """The pictures."""
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="a picture, a folder to search for them, or - for stdin"
    )


def capped(dropped: int) -> str:
    """What a person is told of candidates beyond --max-candidates."""
    return (
        f"the server dropped {dropped} candidates beyond max_candidates; "
        "faces may be missing, a larger --min-face-size leaves fewer"
    )


def find(paths: Sequence[str], others: Collection[str] = ()) -> list[Picture]:
    """Each file named and each picture in a folder named, in that order, none twice. others: suffixes, in lower case,
    of files in folders that are taken as well.

    A file named by itself is tried whatever it is called; but of several, as a shell lists them, a contact sheet of
    `faces cluster` is left out. What is left out is said. Raises InvalidInput where there are none.
    """
    found: dict[Path, Picture] = {}
    for path in map(Path, paths):
        if path.is_dir():
            pictures = _in_folder(path, others)
        elif len(paths) > 1 and marked(path) == SHEET:
            console.message(f"{path}: left out (a contact sheet of faces cluster)")
            continue
        else:
            pictures = [Picture(path, Path(path.name))]
        for picture in pictures:
            found.setdefault(picture.path, picture)
    if "-" in paths:
        found[STDIN.path] = STDIN
    if not found:
        raise InvalidInput(f"no pictures ({', '.join(sorted(SUFFIXES.union(others)))}) in {', '.join(paths)}")
    return list(found.values())


def _in_folder(folder: Path, others: Collection[str]) -> list[Picture]:
    found = pictures_in(folder, others)
    for note in found.notes():
        console.message(note)
    return [Picture(path, path.relative_to(folder)) for path in found.files]


def plan_stems(pictures: Sequence[Picture], folder: Path) -> dict[Path, Path]:
    """For each picture's path the path in `folder`, without a suffix, of what is made of it; no two are the same, and
    subfolders stay."""
    stems = unlike(folder / picture.place.with_suffix("") for picture in pictures)
    return {picture.path: stem for picture, stem in zip(pictures, stems)}


def plan_copies(pictures: Sequence[Picture], folder: Path, force: bool = False) -> dict[Picture, Path]:
    """For each picture the file in `folder` for its copy; no two are the same.

    Raises OutputRefused where one would overwrite a picture that is read or, unless `force`, a file that is no such
    copy, and where the folder cannot be written to.
    """
    outputs.check_folder("--save", folder)
    reads = outputs.identities(picture.path for picture in pictures)
    copies = unlike(_marked(folder / picture.place) for picture in pictures)
    for copy in copies:
        outputs.check_replaceable("--save", copy, reads=reads, is_ours=is_copy, force=force)
    return dict(zip(pictures, copies))


def is_copy(path: Path) -> bool:
    """Whether a file is a copy with faces drawn."""
    return marked(path) == COPY


def _marked(path: Path) -> Path:
    """The path with the suffix of a format that is fit for a copy."""
    return path if path.suffix.lower() in KEEP_MARKS else path.with_name(f"{path.name}.png")


def unlike(paths: Iterable[Path]) -> list[Path]:
    """The paths, with a number where an earlier one has the name already."""
    taken: dict[Path, None] = {}
    for path in paths:
        candidate, number = path, 2
        while candidate in taken:
            candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
            number += 1
        taken[candidate] = None
    return list(taken)
