"""A run from its first shard to the last: shards are given out, tried again where that helps, and watched."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
import ray.exceptions

from face_batch.cluster import Hands
from face_batch.errors import BatchError, DiskFailed, StoreUnavailable, WorkFailed
from face_batch.manifest import Run, Target, shard_name
from face_batch.shards import Counts

_TRIES = 4
_PAUSE_S = 2.0
_WATCH_S = 1.0


@dataclass
class Progress:
    """counts: of the shards of this run. done: shards that are there, those of earlier runs too.

    at_work: seconds since the first pictures were seen; before them workers start.
    """

    counts: Counts = field(default_factory=Counts)
    done: int = 0
    at_work: float = 0.0

    @property
    def rate(self) -> float:
        """Pictures a second, while at work."""
        return self.counts.items / self.at_work if self.at_work else 0.0


class Running:
    """Iterate it: it says how many more items were looked at, again and again, until all shards are there.

    tell: is told, in a sentence, what is tried again.
    Raises StoreUnavailable or WorkFailed where trying again does not help.
    """

    def __init__(self, run: Run, target: Target, hands: Hands, board: Any, tell: Callable[[str], None]) -> None:
        self.progress = Progress()
        self._run, self._target, self._hands, self._board, self._tell = run, target, hands, board, tell
        self._tries: Counter[int] = Counter()
        done = target.done(run)
        self.progress.done = len(done)
        self.done_items = sum(self._items_of(number) for number in done)
        self._left = deque(number for number in range(run.shards) if number not in done)
        self._given: dict[Any, int] = {}

    def __iter__(self) -> Iterator[int]:
        shown = 0
        begun = None
        while self._left or self._given:
            self._give()
            ready, _ = ray.wait(list(self._given), timeout=_WATCH_S)
            for reference in ready:
                self._take(reference, self._given.pop(reference))
            counts: Counts = ray.get(self._board.total.remote())
            self.progress.counts = counts
            # What the first word told of was done before it.
            begun = begun or (time.monotonic() - _WATCH_S if counts.items else None)
            self.progress.at_work = time.monotonic() - begun if begun else 0.0
            # A shard that is looked at again does not turn the count back.
            yield max(0, counts.items - shown)
            shown = max(shown, counts.items)

    @property
    def left(self) -> int:
        """Shards that are not there."""
        return self._run.shards - self.progress.done

    def _items_of(self, number: int) -> int:
        return min(self._run.shard_size, self._run.items - number * self._run.shard_size)

    def _give(self) -> None:
        for _ in range(min(len(self._left), self._hands.free(len(self._given)))):
            number = self._left.popleft()
            self._given[self._hands.give(number)] = number

    def _take(self, reference: Any, number: int) -> None:
        try:
            ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if not isinstance(cause, BatchError):
                # A fault of ours: with its traceback.
                raise
            if isinstance(cause, DiskFailed) or not isinstance(cause, StoreUnavailable | WorkFailed):
                raise cause from error
            self._again(number, cause)
        except ray.exceptions.RayError as error:
            # Its process or its machine ended, or the machine had too little memory.
            self._again(number, WorkFailed(f"its worker ended ({type(error).__name__})"))
        else:
            self.progress.done += 1

    def _again(self, number: int, error: StoreUnavailable | WorkFailed) -> None:
        self._tries[number] += 1
        if self._tries[number] == _TRIES:
            reached: Counts = ray.get(self._board.of.remote(number))
            items = self._target.items(number)
            near = items[min(reached.items, len(items) - 1)].path
            raise type(error)(f"{shard_name(number)} failed {_TRIES} times, the last time near {near}: {error}")
        self._tell(f"{shard_name(number)} is tried again: {error}")
        # A store that has too much to do is given time.
        time.sleep(_PAUSE_S * self._tries[number])
        self._left.appendleft(number)
