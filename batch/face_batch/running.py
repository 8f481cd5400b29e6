"""A run from its first shard to the last: shards are given out, tried again where that helps, and watched."""

import re
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ray
import ray.exceptions

from face_batch.cluster import Hands
from face_batch.errors import BatchError, DiskFailed, StoreUnavailable, WorkFailed
from face_batch.manifest import Run, Target, shard_name
from face_batch.shards import Counts
from face_server.ports import LOOPBACK

_TRIES = 4
_PAUSE_S = 2.0
_WATCH_S = 1.0

# In Ray's words of an error.
_NOT_IMPORTED = "failed to import on the worker"
_ADDRESS = re.compile(r"\bip=([^\s,)]+)")


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
        done = target.done(run)
        self.progress.done = len(done)
        self.done_items = sum(self._items_of(number) for number in done)
        self._left = deque(number for number in range(run.shards) if number not in done)
        # Those that wait to be tried again, until when.
        self._resting: dict[int, float] = {}
        self._given: dict[Any, int] = {}
        # What the shards of this run have come to that are there.
        self._counts = Counts()
        self._tries: Counter[int] = Counter()
        # Addresses of nodes that failed on a shard.
        self._failed_on: defaultdict[int, set[str]] = defaultdict(set)

    def __iter__(self) -> Iterator[int]:
        shown = 0
        begun = None
        while self._left or self._resting or self._given:
            self._give()
            self._watch()
            counts = self._counted()
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
        rested = [number for number, until in self._resting.items() if until <= time.monotonic()]
        for number in rested:
            del self._resting[number]
        self._left.extendleft(reversed(rested))
        for _ in range(min(len(self._left), self._hands.free(len(self._given)))):
            number = self._left.popleft()
            self._given[self._hands.give(number, self._failed_on[number])] = number

    def _watch(self) -> None:
        """Until a shard is done or has failed, but not for long."""
        if not self._given:
            time.sleep(_WATCH_S)
            return
        ready, _ = ray.wait(list(self._given), timeout=_WATCH_S)
        for reference in ready:
            self._take(reference, self._given.pop(reference))

    def _counted(self) -> Counts:
        """What this run has come to, with shards that somebody is at."""
        counts = Counts()
        for each in [self._counts, *ray.get(self._board.of.remote(list(self._given.values())))]:
            counts.add(each)
        return counts

    def _take(self, reference: Any, number: int) -> None:
        try:
            self._counts.add(ray.get(reference))
        except ray.exceptions.RayError as error:
            reason = _reason(error)
            if not isinstance(reason, StoreUnavailable | WorkFailed) or isinstance(reason, DiskFailed):
                raise reason from error
            self._again(number, reason, _node_of(error))
        else:
            self.progress.done += 1

    def _again(self, number: int, error: StoreUnavailable | WorkFailed, node: str) -> None:
        """node: address of where it failed; empty where that does not matter."""
        name, there = shard_name(number), f" on {node}" if node else ""
        self._tries[number] += 1
        if self._tries[number] == _TRIES:
            (reached,) = ray.get(self._board.of.remote([number]))
            items = self._target.items(number)
            near = items[min(reached.items, len(items) - 1)].path
            raise type(error)(f"{name} failed {_TRIES} times, the last time{there} near {near}: {error}")
        self._tell(f"{name} failed{there}, and is tried again: {error}")
        if node:
            self._failed_on[number].add(node)
        # A store that has too much to do is given time; other shards go on.
        self._resting[number] = time.monotonic() + _PAUSE_S * self._tries[number]


def _reason(error: ray.exceptions.RayError) -> Exception:
    """What a person can read. A fault of ours stays as it is, with its traceback."""
    words = str(error)
    if _NOT_IMPORTED in words:
        return WorkFailed(f"`faces batch` cannot be imported there: {words.splitlines()[-1]}")
    if not isinstance(error, ray.exceptions.RayTaskError):
        # Its process or its machine ended, or the machine had too little memory.
        return WorkFailed(f"its worker ended ({type(error).__name__})")
    cause: Exception = error.cause
    return cause if isinstance(cause, BatchError) else error


def _node_of(error: ray.exceptions.RayError) -> str:
    """The address of the node that an error was raised on; empty where none was, and for a cluster of this machine."""
    found = _ADDRESS.search(str(error))
    return found[1] if found and found[1] != LOOPBACK else ""
