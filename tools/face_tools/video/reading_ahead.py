"""Work that blocks where no signal reaches it, done in a thread of its own: who waits for it can be interrupted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import Generic, TypeVar, cast

Item = TypeVar("Item")

# Items that are ready, beside the one the thread has in hand.
_AHEAD = 1

# A thread that FFmpeg has is left to itself; any other ends within this time.
_LAST_WORDS_S = 0.5


class NothingCame(Exception):
    """No item came in time."""


class ReadingAhead(Generic[Item]):
    """The items of a generator, which a daemon thread runs, one or two ahead.

    Python handles signals between two steps of the main thread: while that is inside FFmpeg's `read`, Ctrl-C does
    nothing. It can be woken where it waits for another thread. FFmpeg's own time limits do not hold for pipes and
    devices.

    limit: seconds that `next` waits for an item at most; None: for ever. The time in which nobody waits does not count.
    What the generator raises, `next` raises.
    """

    def __init__(self, items: Generator[Item, None, None], limit: float | None) -> None:
        self._items = items
        self._limit = limit
        self._ready: queue.Queue[tuple[bool, Item | Exception]] = queue.Queue(_AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="faces-reading", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        """The next item. Raises NothingCame where there is none within the limit."""
        if self._closed.is_set():
            raise StopIteration
        try:
            is_item, value = self._ready.get(timeout=self._limit)
        except queue.Empty:
            raise NothingCame from None
        if is_item:
            return cast("Item", value)
        self._closed.set()
        raise cast("Exception", value)

    def close(self) -> None:
        """End the generator, where it stands; one that is inside FFmpeg, when it comes back from there."""
        self._closed.set()
        with suppress(queue.Empty):
            # Makes room for a thread that waits to hand over its item.
            self._ready.get_nowait()
        self._thread.join(_LAST_WORDS_S)

    def _work(self) -> None:
        end: Exception = StopIteration()
        try:
            with closing(self._items):
                for item in self._items:
                    self._ready.put((True, item))
                    if self._closed.is_set():
                        return
        except Exception as error:
            # As a Future has it: raised where it is waited for.
            end = error
        if not self._closed.is_set():
            self._ready.put((False, end))
