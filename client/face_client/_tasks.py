"""What AsyncFaceClient does in its own way: waiting, work aside, many calls at once. `_threads` has FaceClient's."""

from __future__ import annotations

import asyncio
import math
import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Callable, TypeVar, Union, cast

import grpc.aio as channels

from face_client.errors import InvalidInput
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

Items = Union[Iterable[Item], AsyncIterable[Item]]
"""A plain iterable is read on the event loop: what takes long to give its items, such as a camera, belongs into an
async one."""

CHANNEL_CLOSED = (asyncio.CancelledError, channels.UsageError)
"""How a call ends when its channel is closed, and how one begins on a closed channel."""

in_thread = asyncio.to_thread

_END = object()


async def finished(future: Future[None], seconds: float) -> None:
    """Wait until it is, or so long."""
    await asyncio.wait([asyncio.wrap_future(future)], timeout=None if seconds == math.inf else seconds)


def is_cancelled() -> bool:
    """Whether it is the task itself that is being cancelled. Python before 3.11 does not know."""
    task = asyncio.current_task()
    return task is not None and hasattr(task, "cancelling") and task.cancelling() > 0


class Closing:
    """Set once, by whoever closes the client; wakes those who wait between two attempts."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[asyncio.Event] = set()

    def set(self) -> None:
        self._is_set = True
        for event in self._waiting:
            event.set()

    async def wait(self, seconds: float) -> bool:
        """Sleep so long, or until it is set; whether it is."""
        # One a wait: an event belongs to the event loop that is running.
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            if not self._is_set:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(event.wait(), seconds)
        finally:
            self._waiting.discard(event)
        return self._is_set


class Place:
    """Where a connection may be used: in the event loop that runs when it is made."""

    # gRPC's for asyncio has one thread a process, which a fork does not take along: calls would wait for ever.
    _process: int | None = None

    def __init__(self) -> None:
        """Raises InvalidInput in a process that was forked off one that has used AsyncFaceClient."""
        if Place._process is None:
            Place._process = os.getpid()
        if Place._process != os.getpid():
            raise InvalidInput(
                "AsyncFaceClient was used before this process was forked, and cannot be used here: "
                "use FaceClient, fork first, or start processes by spawning"
            )
        self._loop = asyncio.get_running_loop()

    def is_here(self) -> bool:
        """Whether it is this one; not where that one has ended.

        Raises InvalidInput where the other one still runs: two loops at a time need two clients.
        """
        if self._loop is asyncio.get_running_loop():
            return True
        if self._loop.is_running():
            raise InvalidInput(
                "an AsyncFaceClient serves one event loop at a time, and is in use in another; make one for each"
            )
        return False


def map_in_order(
    function: Callable[[Item], Awaitable[Result]], items: Items[Item], in_flight: int
) -> AsyncIterator[Result]:
    """await function(item) of each item, at most in_flight at a time; an exception is raised in its item's turn.

    Items are taken as there is room for them, one after the other, and a result is given out as soon as it is there,
    also while the next item is waited for. When the caller stops early or is cancelled, what is open is cancelled.
    Raises InvalidInput at once for an in_flight below 1.
    """
    check_at_least("in_flight", in_flight, 1, whole=True)
    return _map_in_order(function, items, in_flight)


async def _map_in_order(
    function: Callable[[Item], Awaitable[Result]], items: Items[Item], in_flight: int
) -> AsyncIterator[Result]:
    source = _aiter_of(items)
    pending: deque[asyncio.Task[Result]] = deque()
    coming: asyncio.Task[object] | None = None
    ended = False
    try:
        while True:
            if coming is None and not ended and len(pending) < in_flight:
                coming = asyncio.ensure_future(_next(source))
            if coming is None and not pending:
                return
            awaited: list[asyncio.Task[object]] = [] if coming is None else [coming]
            if pending:
                awaited.append(cast("asyncio.Task[object]", pending[0]))
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if coming is not None and coming.done():
                item, coming = coming.result(), None
                if item is _END:
                    ended = True
                else:
                    pending.append(asyncio.ensure_future(_call(function, cast(Item, item))))
            if pending and pending[0].done():
                yield pending.popleft().result()
    finally:
        tasks = [*pending, *([] if coming is None else [coming])]
        for task in tasks:
            task.cancel()
        # So that nobody is left behind; whatever they raise has no place any more.
        await asyncio.gather(*tasks, return_exceptions=True)


async def _aiter_of(items: Items[Item]) -> AsyncIterator[Item]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def _next(source: AsyncIterator[Item]) -> object:
    """The next item, or _END: a task must not end with StopAsyncIteration."""
    try:
        return await source.__anext__()
    except StopAsyncIteration:
        return _END


async def _call(function: Callable[[Item], Awaitable[Result]], item: Item) -> Result:
    return await function(item)
