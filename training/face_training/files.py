"""Files that are written whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from face_export.files import replace_atomically
from face_training.errors import WriteError


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """`write` fills a temporary file, which then takes the place of `path`. Makes the folder.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    try:
        replace_atomically(path, write)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))
