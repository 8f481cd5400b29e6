"""Room for decoded pictures: many small ones at a time, or one of the largest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
