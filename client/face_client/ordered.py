"""A function over many items at once, results in the order of the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Callable, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(function: Callable[[Item], Result], items: Iterable[Item], in_flight: int) -> Iterator[Result]:
    """function(item) of each item, at most in_flight at a time; an exception is raised in its item's turn.

    Items are taken as there is room for them, so that they may come from an endless generator, and a
    result is given out before a next item is waited for. When the caller stops early, what has not
    started never does, and what has is not waited for.
    """
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
