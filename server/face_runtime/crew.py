"""Threads that share a list of things to do with the thread that has it."""

import ctypes
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")

# Linux passes over a processor that has idled for longer: after 30 ms it was found, after 40 ms it was not.
_RESTED_S = 0.025

# For so long after a rest Linux is not relied on: a picture takes several stages.
_WAKING_S = 0.25


class Crew:
    """So many workers, of whom the calling thread is one: it begins at once, where others have to be woken first, which
    takes a tenth of a millisecond or two, and needs not be woken itself at the end if it is the last one."""

    def __init__(self, workers: int, name: str) -> None:
        self._others = workers - 1
        self._places = _Places(workers)
        self._pool = ThreadPoolExecutor(max(self._others, 1), name, initializer=self._places.add_this_thread)

    def map(self, function: Callable[[Any], T], things: Iterable[Any]) -> list[T]:
        """`list(map(function, things))`, where each worker takes the next thing as soon as it is free.

        Raises what `function` has raised first; nothing is begun after that.
        """
        todo = list(things)
        if len(todo) < 2:
            return [function(thing) for thing in todo]
        results: list[Any] = [None] * len(todo)
        # Its steps are atomic: no number is taken twice.
        numbers = iter(range(len(todo)))

        def work() -> None:
            try:
                for number in numbers:
                    results[number] = function(todo[number])
            except BaseException:
                for _ in numbers:
                    pass
                raise

        def work_elsewhere() -> None:
            self._places.begin()
            work()

        self._places.spread()
        others = [self._pool.submit(work_elsewhere) for _ in range(min(self._others, len(todo) - 1))]
        try:
            work()
        finally:
            wait(others)
            self._places.rest()
        for other in others:
            other.result()
        return results


class _Places:
    """Where the threads of a crew are woken after a rest: each on a processor of its own, if there are as many.

    Left to itself, Linux in a virtual machine wakes a thread on the very processor that is at work and wakes it, where
    the other ones have idled for a while, and two threads share one processor of two for the whole of a picture. A
    crew that is busy is left alone: then Linux knows better, 4 % of the throughput.
    """

    def __init__(self, workers: int) -> None:
        # macOS has no such call.
        self._is_wanted = hasattr(os, "sched_setaffinity") and workers == len(os.sched_getaffinity(0)) > 1
        if self._is_wanted:
            # Not CDLL: what it gives up the interpreter's lock for takes no time.
            self._processor_of_this_thread = ctypes.PyDLL(None).sched_getcpu
        self._threads: list[int] = []
        self._bound: set[int] = set()
        self._everywhere: set[int] = set()
        self._rested_at = self._woken_at = -math.inf

    def add_this_thread(self) -> None:
        self._threads.append(threading.get_native_id())

    def spread(self) -> None:
        """Binds the threads that were added to processors where the calling one is not, if there was a rest."""
        now = time.monotonic()
        if now - self._rested_at > _RESTED_S:
            self._woken_at = now
        if not self._is_waking:
            return
        self._everywhere, here = os.sched_getaffinity(0), self._processor_of_this_thread()
        for thread, processor in zip(self._threads, sorted(self._everywhere - {here}), strict=False):
            self._bound.add(thread)
            self._bind(thread, {processor})

    def begin(self) -> None:
        """What a thread that was added does first: where it was bound, and need not be now, it may run anywhere."""
        thread = threading.get_native_id()
        if thread in self._bound and not self._is_waking:
            self._bound.remove(thread)
            self._bind(thread, self._everywhere)

    def rest(self) -> None:
        """The work is done."""
        self._rested_at = time.monotonic()

    @property
    def _is_waking(self) -> bool:
        return self._is_wanted and time.monotonic() - self._woken_at < _WAKING_S

    def _bind(self, thread: int, processors: set[int]) -> None:
        try:
            os.sched_setaffinity(thread, processors)
        except OSError:
            # Processors were taken away, or somebody forbids it.
            self._is_wanted = False
