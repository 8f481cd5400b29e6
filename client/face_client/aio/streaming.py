"""Many requests over one gRPC stream for asyncio; see `face_client.streaming`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import grpc
import tritonclient.grpc.aio as triton

from face_client.errors import Cancelled, DeadlineExceeded, FaceError
from face_client.messages import Request, Response, infer_arguments, response_from
from face_client.streaming import Unanswered, broken_stream


class AsyncStream(Protocol):
    """Carries requests of any number of tasks to one server."""

    @property
    def broken(self) -> FaceError | None:
        """Why nothing is carried any more; None as long as it is."""

    async def infer(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds. Raises RefusedInStream, DeadlineExceeded, or what broke the stream."""

    async def close(self) -> None:
        """Give up requests that are open."""


class AsyncGrpcStream:
    """A stream to one Triton server, open from the start. connection: may be shared, and stays open."""

    def __init__(self, connection: triton.InferenceServerClient) -> None:
        self.broken: FaceError | None = None
        self._unanswered = Unanswered()
        self._requests: asyncio.Queue[Request | None] = asyncio.Queue()
        self._answers = connection.stream_infer(self._messages())
        self._reader = asyncio.ensure_future(self._read())

    async def infer(self, request: Request, timeout: float) -> Response:
        if self.broken is not None:
            raise self.broken
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        # No await between the two: the order of sending is that of the answers.
        self._unanswered.add(request, future)
        self._requests.put_nowait(request)
        try:
            return await asyncio.wait_for(future, timeout)
        except asyncio.TimeoutError:
            raise DeadlineExceeded(f"no answer within the timeout of {timeout:g} s") from None

    async def close(self) -> None:
        self._break(Cancelled("the stream was closed"))
        self._answers.cancel()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        while (request := await self._requests.get()) is not None:
            yield infer_arguments(request)

    async def _read(self) -> None:
        try:
            async for result, error in self._answers:
                if result is not None:
                    self._unanswered.answered(result.get_response().id, response_from(result))
                else:
                    self._unanswered.refused(error.message())
            self._break(broken_stream(None))
        except grpc.RpcError as error:
            self._break(broken_stream(error.details()))
        except asyncio.CancelledError:
            # By `close`, or because the connection was closed.
            self._break(Cancelled("the client was closed before the answer came"))

    def _break(self, error: FaceError) -> None:
        self.broken = self.broken or error
        self._unanswered.give_up(self.broken)
        # gRPC's task that sends would wait for ever.
        self._requests.put_nowait(None)
