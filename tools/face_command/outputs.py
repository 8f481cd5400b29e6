"""Files that a verb writes: looked at before the work, and then written whole or not at all.

What a verb reads is never overwritten. A file that is there and is not what the same verb writes is replaced only where
`--force` was given.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import IO, Any, Callable

Identity = tuple[int, int]
"""Of a file, whatever its path: device and inode."""

Reads = Collection[Identity]


class OutputError(Exception):
    """A file could not be written; the message names it."""


class OutputRefused(OutputError):
    """What was named for output cannot be, or must not be; said before the work, and nothing was changed."""


def add_force(parser: argparse.ArgumentParser) -> None:
    """--force."""
    parser.add_argument(
        "--force", action="store_true", help="replace files that this command did not write; never one that it reads"
    )


def identities(paths: Iterable[Path]) -> frozenset[Identity]:
    """Of the files that are there, for `check_file`."""
    return frozenset(identity for identity in map(_identity, paths) if identity is not None)


def check_file(
    option: str, path: Path, *, reads: Reads = (), is_ours: Callable[[Path], bool] | None = None, force: bool = False
) -> None:
    """Raises OutputRefused unless the file may be written, and can be as far as is known before.

    option: that the path was given with. reads: of the files that are read. is_ours: whether a file that is there is
    one that the verb writes; None where any may be replaced. force: replace it whatever it is.
    """
    if path.is_dir():
        raise OutputRefused(f"{option} is {path}, which is a folder; name a file")
    check_replaceable(option, path, reads=reads, is_ours=is_ours, force=force)
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputRefused(f"{option} {path} cannot be written: it is write-protected")
    if not _is_special(path):
        check_folder(option, path.parent, shown=path)


def check_replaceable(
    option: str, path: Path, *, reads: Reads = (), is_ours: Callable[[Path], bool] | None = None, force: bool = False
) -> None:
    """The part of `check_file` that is about what is there already: for many files in one folder."""
    there = _identity(path)
    if there is None or _is_special(path):
        return
    if there in reads:
        raise OutputRefused(f"{option} would overwrite {path}, which is read; name another place")
    if is_ours is not None and not force and path.stat().st_size and not _is_known(path, is_ours):
        raise OutputRefused(
            f"{option} would overwrite {path}, which this command did not write; name another place, or give --force"
        )


def _is_known(path: Path, is_ours: Callable[[Path], bool]) -> bool:
    try:
        return is_ours(path)
    except OSError:
        return False


def check_folder(option: str, folder: Path, shown: Path | None = None) -> None:
    """Raises OutputRefused unless files can be written there, also where it is yet to be made. shown: in its place."""
    nearest = folder.resolve()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        reason = f"{nearest} is no folder" if nearest.is_file() else error.strerror or str(error)
        raise OutputRefused(f"{option} {shown or folder} cannot be written: {reason}") from error


def write_whole(path: Path, write: Callable[[IO[bytes]], Any], *, private: bool = False) -> None:
    """`write` fills a file beside `path`, which then takes its place; what was there stays until then.

    Its folder is made; a link goes on being one, and a device or a pipe is written to. private: a new file is its
    owner's alone to read; one that is there keeps its mode. Raises OutputError.
    """
    try:
        target = path.resolve()
        if _is_special(target):
            with target.open("wb") as file:
                write(file)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".faces-{os.getpid()}.part")
        try:
            with open(part, "wb", opener=_open_private if private else None) as file:
                write(file)
            if target.exists():
                shutil.copymode(target, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8, likewise."""
    write_whole(path, lambda file: file.write(text.encode()))


def _identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def _is_special(path: Path) -> bool:
    """A device, a pipe: it has no content to lose, and must not be replaced by a file."""
    return path.exists() and not path.is_file() and not path.is_dir()
