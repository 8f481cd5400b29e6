"""What runs in Ray's workers: shards, with an engine that a process makes once."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from face_batch.engines import Engine, LocalEngine, Networks, ServedEngine
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
    """How far each shard is; an actor. A shard that is tried again replaces what it told before."""

    def __init__(self) -> None:
        self._counts: dict[int, Counts] = {}

    def tell(self, number: int, counts: Counts) -> None:
        """Of a shard."""
        self._counts[number] = counts

    def of(self, number: int) -> Counts:
        """What a shard told last."""
        return self._counts.get(number, Counts())

    def total(self) -> Counts:
        """Of all."""
        total = Counts()
        for counts in self._counts.values():
            total.add(counts)
        return total


_engines: dict[str, Engine] = {}
"""This process's: one, by the digest of its run."""


def do_shard(work: Work, networks: Networks, number: int, board: Any) -> None:
    """A task: the shard is there when it has ended. Raises StoreUnavailable, WorkFailed."""
    run = work.run
    if run.digest not in _engines:
        _engines[run.digest] = _engine(work, networks)
    commit_shard(work, number, _engines[run.digest], board)


def _engine(work: Work, networks: Networks) -> Engine:
    run = work.run
    if work.served:
        return ServedEngine(options=run.options, embeddings=run.embeddings, crops=run.crops, **work.served)
    with tempfile.TemporaryDirectory() as folder:
        return LocalEngine(networks, Path(folder), run.options, run.crops)


def commit_shard(work: Work, number: int, engine: Engine, board: Any) -> None:
    """Looks at the items of a shard, and writes it."""
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
    # Waited for: whoever reads the board after the last shard must see all of it.
    ray.get(board.tell.remote(number, last))
