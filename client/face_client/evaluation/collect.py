"""Asking the server for every picture of a set that is not in the results yet."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from face_client.batches import BatchAnswer
from face_client.errors import FaceError, InvalidInput, ServerUnavailable, reason
from face_client.evaluation.results_file import Record, ResultsFile
from face_client.faces import Faces

if TYPE_CHECKING:
    from face_client.client import FaceClient


class NotReady(ServerUnavailable):
    """A model that is needed, or the whole server, is not there."""

    def __init__(self, model: str, url: str) -> None:
        super().__init__(f"no server with model {model!r} is ready at {url}")
        self.model = model


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

    def answers(self, paths: Iterable[Path]) -> Iterator[BatchAnswer]:
        """An answer a picture, in order."""

    def record(self, path: Path, faces: Faces) -> Record:
        """What the results keep. Raises FaceError or OSError."""

    def agrees(self, stored: Record, now: Record) -> bool | None:
        """Whether the same networks gave both; None where these records cannot tell."""


def collect(task: Task, results: ResultsFile, pictures: Mapping[str, Path]) -> Iterator[Failure | None]:
    """Ask for the pictures (name → file) that the results lack; for each in turn None, or why it failed.

    Raises NotReady when the server is not there, or no more, and InvalidInput when it serves other networks
    than those that gave the results so far.
    """
    pending = {name: path for name, path in pictures.items() if name not in results}
    if not pending:
        return
    _check_ready(task)
    _check_networks(task, results, pictures)
    for (name, path), answer in zip(pending.items(), task.answers(pending.values())):
        if isinstance(answer, ServerUnavailable):
            _check_ready(task)
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


def _check_ready(task: Task) -> None:
    for model in task.models:
        if not task.client.is_ready(model):
            raise NotReady(model, task.client.url)


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
