"""Answers on disk, one JSON line a picture, so that a long run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_client.errors import InvalidInput

if TYPE_CHECKING:
    from typing_extensions import Self

Record = dict[str, Any]


class ResultsFile:
    """A record for each picture, by name, and the settings that all of them were asked with.

    The first line holds the settings, each further one a picture's record. Lines are only ever added, each
    written at once; one that an interruption cut off is dropped when the file is next opened.

    settings: plain values for JSON. Raises InvalidInput where the file has others, or is not such a file,
    and OSError where it cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = _whole_lines(path)
        self._records = dict(map(self._parse, lines[1:]))
        if lines:
            self._check_settings(lines[0], settings)
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
        try:
            return str(record.pop("image")), record
        except KeyError as error:
            raise self._damaged(line) from error

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
