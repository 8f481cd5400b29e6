"""What FaceClient does in its own way: waiting, work aside, many calls at once. `_tasks` has AsyncFaceClient's."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Callable, TypeVar

import grpc as channels

from face_client.forks import renew_in_children
from face_client.options import check_at_least

__all__ = [
    "CHANNEL_CLOSED",
    "Closing",
    "Items",
    "Place",
    "channels",
    "finished",
    "in_thread",
    "is_cancelled",
    "map_in_order",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

Items = Iterable

CHANNEL_CLOSED = (ValueError,)
"""How a call begins on a closed channel; one that is open ends with a status."""


def in_thread(function: Callable[..., Result], *arguments: object) -> Result:
    """Nobody else waits for this thread."""
    return function(*arguments)


def finished(future: Future[None], seconds: float) -> None:
    """Wait until it is, or so long."""
    wait([future], None if seconds == math.inf else seconds)


def is_cancelled() -> bool:
    """Threads cannot be."""
    return False


class Closing:
    """Set once, by whoever closes the client; wakes those who wait between two attempts."""

    def __init__(self) -> None:
        self._event = threading.Event()
        renew_in_children(self)

    def set(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Sleep so long, or until it is set; whether it is."""
        return self._event.wait(seconds)

    def renew(self) -> None:
        """In a forked process: a thread that is not there may have held the event's lock."""
        was_set, self._event = self._event.is_set(), threading.Event()
        if was_set:
            self._event.set()


class Place:
    """Where a connection may be used: in all threads."""

    def is_here(self) -> bool:
        return True


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], in_flight: int) -> Iterator[Result]:
    """function(item) of each item, at most in_flight at a time; an exception is raised in its item's turn.

    Items are taken as there is room for them, so that they may come from an endless generator, and a result that is
    there is given out before a next item is waited for. When the caller stops early, what has not started never does,
    and what has is not waited for.
    Raises InvalidInput at once for an in_flight below 1.
    """
    check_at_least("in_flight", in_flight, 1, whole=True)
    return _map_in_order(function, items, in_flight)


def _map_in_order(function: Callable[[Item], Result], items: Iterable[Item], in_flight: int) -> Iterator[Result]:
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="faces")
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            # In the caller's context: a trace that is open there goes on in the threads.
            pending.append(pool.submit(copy_context().run, function, item))
            while pending and (len(pending) >= in_flight or pending[0].done()):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
