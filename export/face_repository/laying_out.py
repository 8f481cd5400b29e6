"""What a model repository has beside its networks: configurations and Python models, written wherever one is wanted.

They come out of the installed package, or out of the checkout's `model_repository/`, from which the package has them
(`setup.py`).
"""

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import IO

from face_repository.files import replace_atomically
from face_repository.layout import RepositoryError

PATTERNS = ("*/config.pbtxt", "*/1/model.py")

_RECORD = ".laid_out.json"
"""In a repository: the SHA-256 of each file as it was written, by which files that somebody changed are known."""


def source() -> Path:
    """Where the files come from."""
    checkout = Path(__file__).parents[2] / "model_repository"
    return checkout if checkout.is_dir() else Path(__file__).parent / "model_repository"


def lay_out(repository: Path) -> tuple[Path, ...]:
    """Writes what is missing, and what an earlier version wrote; returns files that differ and stay.

    Those were changed since they were written, or something else wrote them.

    Raises:
        RepositoryError: a file cannot be read or written.
    """
    origin = source()
    if repository.resolve() == origin.resolve():
        return ()
    try:
        return _lay_out(origin, repository)
    except OSError as error:
        raise RepositoryError(
            f"the model repository {repository} cannot be laid out: {error.filename or repository}: {error.strerror}"
        ) from error


def renew(repository: Path) -> None:
    """`lay_out` where it was done before: an upgrade brings files that go together. Raises RepositoryError."""
    if (repository / _RECORD).is_file():
        lay_out(repository)


def _lay_out(origin: Path, repository: Path) -> tuple[Path, ...]:
    record = repository / _RECORD
    written, stay = _read(record), []
    before = dict(written)
    for file in sorted(file for pattern in PATTERNS for file in origin.glob(pattern)):
        name, content = str(file.relative_to(origin)), file.read_bytes()
        target = repository / name
        # The version of a network, and of the ensemble, which has no file of its own.
        (repository / Path(name).parts[0] / "1").mkdir(parents=True, exist_ok=True)
        there = target.read_bytes() if target.exists() else None
        if there not in (None, content) and _digest(there) != written.get(name):
            stay.append(target)
            continue
        if there != content:
            replace_atomically(target, partial(_put, content))
            written[name] = _digest(content)
    if written != before:
        replace_atomically(record, partial(_put, (json.dumps(written, indent=2) + "\n").encode()))
    return tuple(stay)


def _put(content: bytes, file: IO[bytes]) -> None:
    file.write(content)


def _digest(content: bytes | None) -> str:
    return hashlib.sha256(content or b"").hexdigest()


def _read(record: Path) -> dict[str, str]:
    try:
        read = json.loads(record.read_text())
    except (OSError, ValueError):
        # There is none yet, or it is damaged: then all that differs stays.
        return {}
    return read if isinstance(read, dict) else {}
