"""Which pictures the arguments name, and where their copies are saved."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# What a folder is searched for. A file named by itself is tried whatever it is called.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

# GIF has too few colours for a photo with lines drawn in; of unknown suffixes Pillow knows no format.
_SAVED_AS_THEY_ARE = IMAGE_SUFFIXES - {".gif"}


class Job(NamedTuple):
    """A picture to read, and the file for its copy with the faces drawn, if one is wanted."""

    path: Path
    copy: Path | None


class _Source(NamedTuple):
    """place: the picture's path below the folder that was named, or its name."""

    path: Path
    place: Path


def plan(paths: Sequence[str], save: Path | None) -> list[Job]:
    """A job for each file named and each picture in a folder named, in that order, none twice.

    Raises ValueError where there are none, or where a copy in `save` would overwrite a picture to be read.
    """
    sources = _find(paths)
    if not sources:
        raise ValueError(f"no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}) in {', '.join(paths)}")
    if save is None:
        return [Job(source.path, None) for source in sources]
    copies = _plan_copies(sources, save)
    return [Job(source.path, copy) for source, copy in zip(sources, copies)]


def plan_stems(paths: Sequence[str], folder: Path) -> dict[Path, Path]:
    """For each picture that `plan` finds, the path in `folder`, without a suffix, of what is made of it; no two are
    the same, and subfolders stay."""
    stems: dict[Path, Path] = {}
    taken: dict[Path, None] = {}
    for source in _find(paths):
        stem = _unused(folder / source.place.with_suffix(""), taken)
        taken[stem] = None
        stems[source.path] = stem
    return stems


def _find(paths: Sequence[str]) -> list[_Source]:
    found: dict[Path, _Source] = {}
    for path in map(Path, paths):
        sources = _in_folder(path) if path.is_dir() else [_Source(path, Path(path.name))]
        for source in sources:
            found.setdefault(source.path, source)
    return list(found.values())


def _in_folder(folder: Path) -> list[_Source]:
    found = []
    for directory, subfolders, names in os.walk(folder):
        subfolders.sort()
        for path in (Path(directory, name) for name in sorted(names)):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                found.append(_Source(path, path.relative_to(folder)))
    return found


def _plan_copies(sources: Sequence[_Source], folder: Path) -> list[Path]:
    """For each source the file in `folder` for its copy; no two are the same."""
    originals = {source.path.resolve() for source in sources}
    planned: dict[Path, None] = {}
    for source in sources:
        planned[_unused(_target(folder / source.place), planned)] = None
    for copy in planned:
        if copy.resolve() in originals:
            raise ValueError(f"--save would overwrite {copy}; give another folder")
    return list(planned)


def _target(path: Path) -> Path:
    """The path with a suffix that Pillow writes."""
    return path if path.suffix.lower() in _SAVED_AS_THEY_ARE else path.with_name(f"{path.name}.png")


def _unused(path: Path, taken: dict[Path, None]) -> Path:
    """The path, with a number where another picture of that name has it already."""
    candidate, number = path, 2
    while candidate in taken:
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return candidate
