"""Several servers as one, for asyncio; see `face_client.balanced`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Callable

from face_client.aio.streaming import AsyncStream
from face_client.aio.transport import AsyncTransport
from face_client.endpoints import PROBE_TIMEOUT_S, Endpoints, time_left
from face_client.errors import Cancelled, FaceError
from face_client.messages import Request, Response


def balanced(transports: Sequence[AsyncTransport]) -> AsyncTransport:
    """One transport for all servers, or the only one there is."""
    return transports[0] if len(transports) == 1 else AsyncBalancedTransport(transports)


class AsyncBalancedTransport:
    """One transport a server. A request that fails is not sent again here: the client's retries choose anew."""

    def __init__(self, transports: Sequence[AsyncTransport]) -> None:
        self._transports = transports
        self._endpoints = Endpoints(len(transports))

    async def infer(self, request: Request, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        index = await self._choose(request.model, deadline)
        left = time_left(deadline)
        with self._endpoints.asking(index):
            return await self._transports[index].infer(request, left)

    async def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests on any server."""
        failure: FaceError | None = None
        for transport in self._transports:
            try:
                if await transport.is_ready(model, timeout / len(self._transports)):
                    return True
            except FaceError as error:
                failure = error
        if failure is not None:
            raise failure
        return False

    def open_stream(self) -> AsyncStream:
        return AsyncBalancedStream(self._transports, self._endpoints, self._choose_for_stream)

    async def close(self) -> None:
        await asyncio.gather(*(transport.close() for transport in self._transports))

    async def _choose(self, model: str, deadline: float) -> int:
        while True:
            index, probe = self._endpoints.choose()
            if not probe or await self._is_there(index, model, deadline):
                return index

    async def _choose_for_stream(self, model: str, deadline: float) -> int:
        """A server that has just said that it is there, if any does: nothing of a stream is tried again."""
        for _ in self._transports:
            index, _ = self._endpoints.choose()
            if await self._is_there(index, model, deadline):
                break
        return index

    async def _is_there(self, index: int, model: str, deadline: float) -> bool:
        timeout = min(PROBE_TIMEOUT_S, deadline - time.monotonic())
        is_there = False
        try:
            is_there = await self._transports[index].is_ready(model, max(timeout, 0.001))
        except FaceError:
            pass
        finally:
            # Also where the task is cancelled: somebody else must be able to probe.
            self._endpoints.probed(index, is_there)
        return is_there


class AsyncBalancedStream:
    """A stream to one of the servers, chosen when the first request comes. Where that one goes, the stream breaks.

    choose(model, deadline): the index of a server that is there.
    """

    def __init__(
        self,
        transports: Sequence[AsyncTransport],
        endpoints: Endpoints,
        choose: Callable[[str, float], Awaitable[int]],
    ) -> None:
        self._transports = transports
        self._endpoints = endpoints
        self._choose = choose
        self._lock = asyncio.Lock()
        self._closed = False
        self._opened: tuple[int, AsyncStream] | None = None

    @property
    def broken(self) -> FaceError | None:
        return None if self._opened is None else self._opened[1].broken

    async def infer(self, request: Request, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        index, stream = await self._open(request.model, deadline)
        left = time_left(deadline)
        with self._endpoints.asking(index):
            return await stream.infer(request, left)

    async def close(self) -> None:
        async with self._lock:
            self._closed = True
            if self._opened is not None:
                await self._opened[1].close()

    async def _open(self, model: str, deadline: float) -> tuple[int, AsyncStream]:
        async with self._lock:
            if self._opened is None:
                if self._closed:
                    # A worker that is late; whoever owns the stream has gone.
                    raise Cancelled("the stream was closed")
                index = await self._choose(model, deadline)
                self._opened = index, self._transports[index].open_stream()
            return self._opened
