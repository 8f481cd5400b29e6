"""An async function over many items at once, results in the order of the items; see `face_client.ordered`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable
from typing import Callable, TypeVar, Union, cast

Item = TypeVar("Item")
Result = TypeVar("Result")

Items = Union[Iterable[Item], AsyncIterable[Item]]

_END = object()


async def map_in_order(
    function: Callable[[Item], Awaitable[Result]], items: Items[Item], in_flight: int
) -> AsyncIterator[Result]:
    """await function(item) of each item, at most in_flight at a time; an exception is raised in its item's turn.

    Items are taken as there is room for them, one after the other, and a result is given out as soon as it is there,
    also while the next item is waited for. When the caller stops early or is cancelled, what is open is cancelled.
    """
    source = aiter_of(items)
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


async def aiter_of(items: Items[Item]) -> AsyncIterator[Item]:
    """The items; those of a plain iterable are taken on the event loop."""
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
