"""Several servers as one: requests are spread over them, and go to the others when one is gone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from face_client._async.transport import AsyncTransport
from face_client.endpoints import PROBE_TIMEOUT_S, Attempt, Endpoints, time_left
from face_client.errors import DeadlineExceeded, FaceError, ServerUnavailable
from face_client.messages import Request, Response


class AsyncBalancedTransport:
    """One transport a server.

    A request goes on to the next server here where the last one let its share of the time pass, or could not take it
    for a reason that is not its own, such as a model that it does not have. Any other failure is the client's matter,
    whose retries choose anew.
    """

    def __init__(self, transports: Sequence[AsyncTransport]) -> None:
        self._transports = transports
        self._endpoints = Endpoints(len(transports))

    async def infer(self, request: Request, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        tried: set[int] = set()
        late: list[Attempt] = []
        while True:
            index = await self._choose(request.model, deadline, tried)
            seconds = self._endpoints.share(time_left(deadline), tried)
            try:
                with self._endpoints.asking(index) as attempt:
                    response = await self._transports[index].infer(request, seconds)
            except ServerUnavailable as error:
                if error.of_endpoint or not self._endpoints.untried(tried):
                    raise
            except DeadlineExceeded:
                if not self._endpoints.untried(tried):
                    raise
                late.append(attempt)
            else:
                self._endpoints.outrun(late)
                return response

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

    async def close(self) -> None:
        for transport in self._transports:
            await transport.close()

    async def _choose(self, model: str, deadline: float, tried: set[int]) -> int:
        """A server that serves, if any does, and from now on is tried."""
        while True:
            left = time_left(deadline)
            index, probe = self._endpoints.choose(tried)
            tried.add(index)
            if not probe or await self._is_there(index, model, left):
                return index

    async def _is_there(self, index: int, model: str, left: float) -> bool:
        """Whether a server answers at all; what it says of the model is another matter."""
        # Who has little time leaves half of it for another server, and learns nothing if that was not enough.
        timeout = min(PROBE_TIMEOUT_S, left / 2)
        is_there: bool | None = None
        try:
            await self._transports[index].is_ready(model, timeout)
            is_there = True
        except DeadlineExceeded:
            is_there = False if timeout == PROBE_TIMEOUT_S else None
        except FaceError:
            is_there = False
        finally:
            # Also where the task is cancelled: somebody else must be able to probe.
            self._endpoints.probed(index, is_there)
        return bool(is_there)
