"""What runs in Ray's workers: shards, with an engine that a process makes once."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from face_batch.engines import Engine, LocalEngine, Networks, ServedEngine
from face_batch.errors import WorkFailed
from face_batch.manifest import Run, Target
from face_batch.reading import Reader
from face_batch.shards import Counts, look

# Between two words of a worker about where it is.
_TELL_S = 1.0


@dataclass(frozen=True)
class Work:
    """What every worker must know. target: its address. served: keyword arguments of ServedEngine, its url among them;
    empty for an engine in the worker."""

    run: Run
    target: str
    served: Mapping[str, Any] = field(default_factory=dict)


class Board:
    """How far shards are that somebody is at; an actor. A shard that is tried again replaces what it told before."""

    def __init__(self) -> None:
        self._counts: dict[int, Counts] = {}

    def tell(self, number: int, counts: Counts) -> None:
        """Of a shard."""
        self._counts[number] = counts

    def of(self, numbers: Sequence[int]) -> list[Counts]:
        """What these shards told last."""
        return [self._counts.get(number, Counts()) for number in numbers]


_engines: dict[str, Engine] = {}
"""This process's: one, by the digest of its run."""


def do_shard(work: Work, networks: Networks, number: int, board: Any) -> Counts:
    """A task: the shard is there when it has ended; returns what it has come to. Raises BatchError."""
    run = work.run
    if run.digest not in _engines:
        _engines[run.digest] = _engine(work, networks)
    return commit_shard(work, number, _engines[run.digest], board)


def _engine(work: Work, networks: Networks) -> Engine:
    run = work.run
    if work.served:
        return ServedEngine(options=run.options, embeddings=run.embeddings, crops=run.crops, **work.served)
    with tempfile.TemporaryDirectory() as folder:
        return LocalEngine(networks, Path(folder), run.options, run.crops)


def commit_shard(work: Work, number: int, engine: Engine, board: Any) -> Counts:
    """Looks at the items of a shard, and writes it."""
    _check_release(work.run)
    target = Target.at(work.target)
    reader = Reader(work.run.query, work.run.column)
    last, told = Counts(), time.monotonic()

    def tell(counts: Counts) -> None:
        nonlocal last, told
        last = counts
        if time.monotonic() - told >= _TELL_S:
            told = time.monotonic()
            board.tell.remote(number, counts)

    target.commit(work.run, number, look(target.items(number), work.run, reader, engine, tell))
    return last


def _check_release(run: Run) -> None:
    """Another one may find other faces, and the fingerprint says whose they are."""
    mine, wanted = version("triton-faces"), run.fingerprint["release"]
    if mine != wanted:
        raise WorkFailed(f"release {mine} of triton-faces is there, and the run is of {wanted}")
