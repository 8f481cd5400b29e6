"""Threads that share a list of things to do with the thread that has it."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")


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

        if len(todo) > 1:
            self._places.spread()
        others = [self._pool.submit(work) for _ in range(min(self._others, len(todo) - 1))]
        try:
            work()
        finally:
            wait(others)
        for other in others:
            other.result()
        return results


class _Places:
    """A processor for each thread of a crew that has as many workers as there are processors.

    Left to itself, Linux in a virtual machine wakes a thread where the one is at work that wakes it: a processor that
    has idled for some 30 ms looks as if the host had taken it away (`vcpu_is_preempted`, which KVM says of a halted one
    too), so nothing is sent there. Two threads shared one processor of two for the whole of a picture.
    """

    def __init__(self, workers: int) -> None:
        # macOS has no such call.
        self._is_wanted = hasattr(os, "sched_setaffinity") and workers == len(os.sched_getaffinity(0)) > 1
        if self._is_wanted:
            # Not CDLL: what it gives up the interpreter's lock for takes no time.
            self._processor_of_this_thread = ctypes.PyDLL(None).sched_getcpu
        self._threads: list[int] = []
        self._placed: tuple[int, int] | None = None

    def add_this_thread(self) -> None:
        self._threads.append(threading.get_native_id())

    def spread(self) -> None:
        """Puts the threads that were added where the calling one is not, each on a processor of its own."""
        if not self._is_wanted:
            return
        here = self._processor_of_this_thread()
        if self._placed == (here, len(self._threads)):
            return
        self._placed = here, len(self._threads)
        try:
            elsewhere = sorted(os.sched_getaffinity(0) - {here})
            for thread, processor in zip(self._threads, elsewhere, strict=False):
                os.sched_setaffinity(thread, {processor})
        except OSError:
            # Processors were taken away, or somebody forbids it.
            self._is_wanted = False
