"""What AsyncFaceClient does in its own way: waiting, work aside, many calls at once. `_threads` has FaceClient's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from typing import Callable, TypeVar, Union, cast

import grpc
import tritonclient.grpc.aio as triton

from face_client.options import check_at_least

__all__ = ["CHANNEL_CLOSED", "Closing", "Items", "in_thread", "is_cancelled", "map_in_order", "triton"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Items = Union[Iterable[Item], AsyncIterable[Item]]
"""A plain iterable is read on the event loop: what takes long to give its items, such as a camera, belongs into an
async one."""

CHANNEL_CLOSED = (asyncio.CancelledError, grpc.aio.UsageError)
"""How a call ends when its channel is closed, and how one begins on a closed channel."""

in_thread = asyncio.to_thread

_END = object()


def is_cancelled() -> bool:
    """Whether it is the task itself that is being cancelled. Python before 3.11 does not know."""
    task = asyncio.current_task()
    return task is not None and hasattr(task, "cancelling") and task.cancelling() > 0


class Closing:
    """Set once, by whoever closes the client; wakes those who wait between two attempts."""

    def __init__(self) -> None:
        self._is_set = False
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        self._is_set = True
        if self._event is not None:
            self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Sleep so long, or until it is set; whether it is."""
        if self._event is None:
            # Made late: before Python 3.10 it belongs to the event loop that is running.
            self._event = asyncio.Event()
        if not self._is_set:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._event.wait(), seconds)
        return self._is_set


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
