"""`--resume FILE`: what an earlier run has answered, from the JSON lines that it wrote."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from face_client.errors import InvalidInput

try:
    import fcntl
except ImportError:  # Windows, whose shells append in other ways
    fcntl = None  # type: ignore[assignment]


def answered(file: Path) -> set[str]:
    """The pictures that have an answer in JSON lines of `faces detect --json`; those that failed are not among them.

    A last line that was cut off counts for nothing. Raises InvalidInput where the file holds something else, or cannot
    be read.
    """
    try:
        *lines, _cut_off = file.read_bytes().split(b"\n")
    except OSError as error:
        raise InvalidInput(f"--resume {file} cannot be read: {error.strerror}") from error
    known = set()
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            if "error" not in document:
                known.add(str(document["image"]))
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidInput(
                f"--resume is {file}, which is no file of JSON lines of this command: line {number} is {line[:40]!r}"
            ) from error
    return known


def check_stdout(file: Path) -> None:
    """Where stdout goes to the same file: take away what was cut off at its end, so that new lines follow whole ones.

    Raises InvalidInput where stdout does not append to it.
    """
    if fcntl is None or not _is_stdout(file):
        return
    if not fcntl.fcntl(sys.stdout.fileno(), fcntl.F_GETFL) & os.O_APPEND:
        raise InvalidInput(f"--resume is {file}, which stdout is written over; append to it with >> {file}")
    os.ftruncate(sys.stdout.fileno(), file.read_bytes().rfind(b"\n") + 1)


def _is_stdout(file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), file.stat())
    except (OSError, ValueError):
        # No such file, or a stdout without a descriptor.
        return False
