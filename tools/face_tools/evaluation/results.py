"""Answers for every picture of a set: asked for, and kept line by line, so that a long run goes on where it stopped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from face_client.errors import FaceError, InvalidInput, ServerUnavailable, reason
from face_client.faces import Faces
from face_tools.connection import check_ready

if TYPE_CHECKING:
    from typing_extensions import Self

    from face_client import FaceClient
    from face_client.faces import BatchAnswer

Record = dict[str, Any]


class Failure(NamedTuple):
    """A picture without an answer; a next run asks again. reason: one line."""

    image: str
    reason: str


class Task(Protocol):
    """What is asked of the server and what is kept of it."""

    @property
    def client(self) -> FaceClient:
        """Who asks."""

    @property
    def models(self) -> Sequence[str]:
        """Those that must be ready."""

    @property
    def keys(self) -> Collection[str]:
        """What every record has."""

    def settings(self) -> Record:
        """What the results depend on, as plain values for JSON."""

    def check(self) -> None:
        """Raises FaceError where what the models that are ready say is not worth keeping."""

    def answers(self, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        """An answer a picture, in order."""

    def record(self, path: Path, faces: Faces) -> Record:
        """What the results keep. Raises FaceError or OSError."""

    def agrees(self, stored: Record, now: Record) -> bool | None:
        """Whether the same networks gave both; None where these records cannot tell."""


def collect(
    task: Task, results: ResultsFile, pictures: Mapping[str, Path], wait: float = 0.0
) -> Iterator[Failure | None]:
    """Ask for the pictures (name → file) that the results lack; for each in turn None, or why it failed.

    wait: so many seconds for a server that is away.
    Raises NotReady when the server is not there, or no more, InvalidInput when it serves other networks than those that
    gave the results so far, and what `Task.check` raises.
    """
    pending = {name: path for name, path in pictures.items() if name not in results}
    if not pending:
        return
    check_ready(task.client, *task.models, wait=wait)
    task.check()
    _check_networks(task, results, pictures)
    for (name, path), answer in zip(pending.items(), task.answers(pending.values())):
        if isinstance(answer, ServerUnavailable):
            check_ready(task.client, *task.models, wait=wait)
            if wait:
                (answer,) = task.answers([path])
        record = _record(task, path, answer)
        if isinstance(record, dict):
            results.add(name, record)
            yield None
        else:
            yield Failure(name, reason(record))


def evenly(items: list[str], count: int | None) -> list[str]:
    """`count` items spread over the list, in its order; all where it has no more, or for None."""
    if count is None or count >= len(items):
        return items
    return [items[i * len(items) // count] for i in range(count)]


def missing_files(pictures: Mapping[str, Path], results: ResultsFile) -> list[str]:
    """The names of pictures that are neither in the results nor on disk.

    Raises InvalidInput where that is so of all: then the folder is a wrong one.
    """
    missing = [name for name, path in pictures.items() if name not in results and not path.is_file()]
    if missing and len(missing) == len(pictures):
        name, path = next(iter(pictures.items()))
        raise InvalidInput(f"none of the {len(pictures)} pictures is there; {name} was looked for at {path}")
    return missing


def _check_networks(task: Task, results: ResultsFile, pictures: Mapping[str, Path]) -> None:
    """Ask again for a picture that is known: settings cannot tell which weights a server has loaded."""
    known = ((name, path) for name, path in pictures.items() if name in results)
    for name, path in itertools.islice(known, 5):
        record = _record(task, path, next(task.answers([path])))
        if not isinstance(record, dict):
            continue
        agrees = task.agrees(results[name], record)
        if agrees is None:
            continue
        if not agrees:
            raise InvalidInput(
                f"the server's answer for {name} differs from the one in {results.path}: it serves other networks; "
                "choose another folder"
            )
        return


def _record(task: Task, path: Path, answer: BatchAnswer) -> Record | FaceError | OSError:
    if not isinstance(answer, Faces):
        return answer
    try:
        return task.record(path, answer)
    except (FaceError, OSError) as error:
        return error


class ResultsFile:
    """A record for each picture, by name, and the settings that all of them were asked with.

    The first line holds the settings, each further one a picture's record. Lines are only ever added, each
    written at once; one that an interruption cut off is dropped when the file is next opened.

    settings: plain values for JSON. keys: what every record has.
    Raises InvalidInput where the file has other settings, or is not such a file, and OSError where it cannot be read or
    written.
    """

    def __init__(self, path: Path, settings: Mapping[str, object], keys: Collection[str] = ()) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = _whole_lines(path)
        records = list(map(self._parse, lines[1:]))
        if lines:
            self._check_settings(lines[0], settings)
        for line, (_, record) in zip(lines[1:], records):
            if not record.keys() >= set(keys):
                raise self._damaged(line)
        self._records = dict(records)
        self._file = path.open("a", encoding="utf-8")
        if not lines:
            self._write({"settings": settings})

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def __getitem__(self, name: str) -> Record:
        """The record under a name. Raises KeyError."""
        return self._records[name]

    def add(self, name: str, record: Record) -> None:
        """Keep a record, in memory and on disk."""
        self._write({"image": name, **record})
        self._records[name] = record

    def close(self) -> None:
        """Nothing can be added any more; what is there can be read."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write(self, line: Mapping[str, object]) -> None:
        self._file.write(json.dumps(line) + "\n")
        # What is lost with the power is asked again; a program that ends loses nothing.
        self._file.flush()

    def _parse(self, line: str) -> tuple[str, Record]:
        record = self._object(line)
        if "image" not in record:
            raise self._damaged(line)
        return str(record.pop("image")), record

    def _object(self, line: str) -> Record:
        try:
            value = json.loads(line)
        except ValueError as error:
            raise self._damaged(line) from error
        if not isinstance(value, dict):
            raise self._damaged(line)
        return value

    def _damaged(self, line: str) -> InvalidInput:
        return InvalidInput(f"{self.path} is not a file of results: {line[:60]!r}; choose another folder")

    def _check_settings(self, line: str, wanted: Mapping[str, object]) -> None:
        stored = self._object(line).get("settings")
        if not isinstance(stored, dict):
            raise self._damaged(line)
        # As JSON gives them back: tuples are lists there.
        settings = json.loads(json.dumps(wanted))
        if stored != settings:
            there, now = _flat(stored), _flat(settings)
            differences = ", ".join(
                f"{name} {there.get(name, 'not set')} there and {now.get(name, 'not set')} now"
                for name in sorted({*there, *now})
                if there.get(name) != now.get(name)
            )
            raise InvalidInput(
                f"{self.path} was made with other settings: {differences}; "
                "give the same ones to go on, or choose another folder"
            )


def _whole_lines(path: Path) -> list[str]:
    """The lines that were written to their end; what follows the last one is cut off the file."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("r+b") as file:
            file.truncate(whole)
    return data[:whole].decode(errors="replace").splitlines()


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested settings as one level, names joined by dots."""
    flat: dict[str, object] = {}
    for name, value in settings.items():
        flat.update(_flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value})
    return flat
