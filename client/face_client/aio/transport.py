"""One inference over gRPC for asyncio; see `face_client.transport`, whose requests and answers these are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import tritonclient.grpc.aio as triton
from tritonclient.utils import InferenceServerException

from face_client.aio.streaming import AsyncGrpcStream, AsyncStream
from face_client.errors import Cancelled, error_from_status
from face_client.messages import Request, Response, connection_arguments, infer_arguments, response_from
from face_client.tls import Tls
from face_client.transport import call_span


class AsyncTransport(Protocol):
    """Carries requests. Any number of tasks call it; raises nothing but FaceError and CancelledError."""

    async def infer(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds; a cancelled task gives the request up."""

    async def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests."""

    def open_stream(self) -> AsyncStream:
        """A stream of requests to one server; its owner closes it."""

    async def close(self) -> None:
        """Give up calls that are open."""


class AsyncGrpcTransport:
    """A Triton server at "host:port". Connects at the first call, and belongs to the event loop of that call."""

    def __init__(self, url: str, tls: Tls | None = None) -> None:
        self._arguments = connection_arguments(url, tls)
        self._made: triton.InferenceServerClient | None = None
        self._closed = False

    async def infer(self, request: Request, timeout: float) -> Response:
        with self._face_errors(), call_span(request.model, request.id) as headers:
            arguments = infer_arguments(request)
            return response_from(await self._triton().infer(**arguments, headers=headers, client_timeout=timeout))

    async def is_ready(self, model: str, timeout: float) -> bool:
        with self._face_errors():
            return bool(await self._triton().is_model_ready(model, client_timeout=timeout))

    def open_stream(self) -> AsyncStream:
        return AsyncGrpcStream(self._triton())

    async def close(self) -> None:
        self._closed = True
        if self._made is not None:
            await self._made.close()

    def _triton(self) -> Any:
        """Made late: a channel takes the event loop that is running."""
        if self._closed:
            raise Cancelled("the client is closed")
        if self._made is None:
            self._made = triton.InferenceServerClient(**self._arguments)
        return self._made

    @contextmanager
    def _face_errors(self) -> Iterator[None]:
        try:
            yield
        except InferenceServerException as error:
            raise error_from_status(error.status(), error.message()) from error
        except asyncio.CancelledError as error:
            # gRPC says so also where the channel was closed; then it is not the task that was cancelled.
            if self._closed:
                raise Cancelled("the client was closed before the answer came") from error
            raise
