"""Which files of a folder are pictures to read: the one walk of all commands, of training, and of the benchmark.

Hidden files, thumbnails, trash and what the command itself made are left out, and formats that are not read; what is
left out has a name and a reason, so that nobody has to wonder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from face_pictures.formats import FORMAT_NAMES, OTHER_SUFFIXES, SUFFIXES
from face_pictures.marks import COVERED, CROP, marked

# What file managers, network storage and macOS lay beside pictures, besides what a dot hides.
_NOT_PHOTOS = frozenset(
    (
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        *("$recycle.bin", "recycler", "system volume information", "__macosx", "lost+found"),
    )
)

_HIDDEN = "hidden, thumbnails or trash"
_OTHER = f"not read; {FORMAT_NAMES} is"
_OURS = "made by this command"
_AROUND = "a link to what is read anyway, or to a folder around this one"
_NO_FILE = "no file"

_NAMED = 5


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none that a person put among the pictures."""
    return name.startswith(".") or name.lower() in _NOT_PHOTOS


@dataclass
class Found:
    """files: the pictures. left_out: what was passed over, by the reason."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    def leave(self, path: Path, reason: str) -> None:
        """Notes what is passed over."""
        self.left_out.setdefault(reason, []).append(path)

    def notes(self) -> Iterator[str]:
        """A sentence for each reason."""
        for reason, paths in self.left_out.items():
            names = [str(path.relative_to(self.folder)) for path in paths]
            yield f"{self.folder}: {left_out(names, reason)}"


def left_out(names: Sequence[str], reason: str) -> str:
    """That these, of which some are named, were left out, and why."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"left out {', '.join(names[:_NAMED])}{more} ({reason})"


def pictures_in(folder: Path, others: Collection[str] = ()) -> Found:
    """The pictures in a folder and below, by their suffixes; those of a folder by name, then its subfolders'.

    Folders that are links are read too, after all others and none twice. A folder that cannot be read is left out, with
    the system's reason. others: suffixes, in lower case, of files that are taken as well.
    """
    found = Found(folder)
    suffixes = frozenset((*SUFFIXES, *others))
    seen: set[Path] = set()
    links: list[Path] = []
    _walk(folder, suffixes, found, seen, links)
    around = {folder.resolve(), *folder.resolve().parents}
    while links:
        link = links.pop(0)
        if link.resolve() in seen | around:
            found.leave(link, _AROUND)
        else:
            _walk(link, suffixes, found, seen, links)
    _leave_ours(found)
    return found


def _walk(folder: Path, suffixes: Collection[str], found: Found, seen: set[Path], links: list[Path]) -> None:
    """Adds what is in the folder and below. links: where folders that are links are put for later."""
    place = folder.resolve()
    if place in seen:
        found.leave(folder, _AROUND)
        return
    seen.add(place)
    subfolders: list[Path] = []
    try:
        with os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        found.leave(folder, error.strerror or str(error))
        return
    for entry in entries:
        path, suffix = folder / entry.name, Path(entry.name).suffix.lower()
        is_folder = entry.is_dir()
        if is_hidden(entry.name):
            if is_folder or suffix in suffixes:
                found.leave(path, _HIDDEN)
        elif is_folder:
            (links if entry.is_symlink() else subfolders).append(path)
        elif suffix in OTHER_SUFFIXES:
            found.leave(path, _OTHER)
        elif suffix in suffixes:
            # A link to nowhere stays, and fails by its name; a pipe would be waited for.
            if entry.is_file() or not path.exists():
                found.files.append(path)
            else:
                found.leave(path, _NO_FILE)
    for path in subfolders:
        _walk(path, suffixes, found, seen, links)


def _leave_ours(found: Found) -> None:
    """Leaves out sheets, drawings, and crops that lie with what they were cut from; others may be meant."""
    marks = {path: mark if (mark := marked(path)) != COVERED else None for path in found.files}
    originals = {path.stem for path, mark in marks.items() if mark is None}
    for path, mark in marks.items():
        # photo_1.png is cut from photo.jpg.
        if mark is not None and not (mark.startswith(CROP) and path.stem.rpartition("_")[0] not in originals):
            found.leave(path, _OURS)
    left = set(found.left_out.get(_OURS, ()))
    found.files = [path for path in found.files if path not in left]
