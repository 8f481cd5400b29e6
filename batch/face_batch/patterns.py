"""Patterns of paths, as in a shell, on disks and in stores alike."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from face_batch.places import Entry, Place
from face_pictures.folders import is_hidden

_WILD = re.compile(r"[*?\[]")


def is_pattern(path: str) -> bool:
    """Whether a path may name several files; one that is there is none all the same."""
    return bool(_WILD.search(path))


def matching(place: Place) -> Iterator[Entry]:
    """The files that a pattern names: `*` and `?` within a name, `**` through folders."""
    parts = place.path.split("/")
    # A folder may be called `Summer [2019]`.
    first = next(
        (
            n
            for n, part in enumerate(parts)
            if _WILD.search(part) and not place.sibling("/".join(parts[: n + 1])).is_folder()
        ),
        len(parts) - 1,
    )
    base, pattern = place.sibling("/".join(parts[:first])), parts[first:]
    for entry in _candidates(base, pattern):
        if _is_match(entry.path[len(base.path) :].lstrip("/").split("/"), pattern):
            yield entry


def _candidates(base: Place, pattern: Sequence[str]) -> Iterator[Entry]:
    """Files among which those of the pattern are."""
    if not base.is_local:
        yield from base.files(recursive=len(pattern) > 1 or pattern[0] == "**")
        return
    # Python's looks into no folder that it need not see, and follows no links in circles; but its `**` are folders.
    parts = [part if part == "**" else re.sub(r"\*+", "*", part) for part in pattern]
    for path in map(str, Path(base.path).glob("/".join(parts) + ("/*" if parts[-1] == "**" else ""))):
        if path == printable(path) and (entry := base.sibling(path).info()) is not None:
            yield entry


def _is_match(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """As in a shell: what is hidden is matched only by what begins as it does."""
    if not names or not pattern:
        return not names and not pattern
    is_shown = not is_hidden(names[0]) or pattern[0][:1] == names[0][:1]
    if pattern[0] == "**":
        # Through no folder or through this one; at its end it is any file.
        return _is_match(names, pattern[1:] or ["*"]) or (is_shown and _is_match(names[1:], pattern))
    return is_shown and fnmatchcase(names[0], pattern[0]) and _is_match(names[1:], pattern[1:])


def printable(name: str) -> str:
    """A name as a table can hold it: bytes that are no UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()
