"""Room for decoded pictures: many small ones at a time, or one of the largest; and work in threads that keeps to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def finished_in_thread(
    work: Callable[Arguments, Result], *arguments: Arguments.args, **named: Arguments.kwargs
) -> Result:
    """`asyncio.to_thread` that ends no sooner than the work, which nobody can stop: who is cancelled meanwhile goes on
    holding what they hold."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait((working,))
        raise


class Room:
    """For so many pixels. A picture that does not fit yet waits for its turn, and those behind it for it."""

    def __init__(self, pixels: int) -> None:
        self._all = self._free = pixels
        self._turn = asyncio.Lock()
        self._some_left = asyncio.Event()

    @asynccontextmanager
    async def hold(self, pixels: int) -> AsyncIterator[None]:
        """One that is larger than the room has all of it to itself."""
        taken = min(pixels, self._all)
        async with self._turn:
            while self._free < taken:
                self._some_left.clear()
                await self._some_left.wait()
            self._free -= taken
        try:
            yield
        finally:
            self._free += taken
            self._some_left.set()
