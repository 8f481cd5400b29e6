"""Several servers as one, for asyncio; see `face_client.balanced`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from face_client.aio.streaming import AsyncStream
from face_client.aio.transport import AsyncTransport
from face_client.endpoints import PROBE_TIMEOUT_S, Endpoints
from face_client.errors import DeadlineExceeded, FaceError
from face_client.wire import Request, Response


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
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"no server answered within {timeout:g} s")
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
        """To one of the servers; where that one goes, the stream breaks."""
        index, probe = self._endpoints.choose()
        if probe:
            # The stream itself will find out.
            self._endpoints.probed(index, True)
        return self._transports[index].open_stream()

    async def close(self) -> None:
        await asyncio.gather(*(transport.close() for transport in self._transports))

    async def _choose(self, model: str, deadline: float) -> int:
        while True:
            index, probe = self._endpoints.choose()
            if not probe:
                return index
            is_there = False
            try:
                is_there = await self._is_there(index, model, min(PROBE_TIMEOUT_S, deadline - time.monotonic()))
            finally:
                # Also where the task is cancelled: somebody else must be able to probe.
                self._endpoints.probed(index, is_there)
            if is_there:
                return index

    async def _is_there(self, index: int, model: str, timeout: float) -> bool:
        try:
            return await self._transports[index].is_ready(model, max(timeout, 0.001))
        except FaceError:
            return False
