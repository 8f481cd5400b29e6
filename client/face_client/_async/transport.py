"""One inference over gRPC. A client needs no more than the protocol: a test, or another protocol, brings its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import grpc

from face_client._tasks import CHANNEL_CLOSED, Place, channels, is_cancelled
from face_client.causes import likely_cause
from face_client.errors import Cancelled, error_from_status
from face_client.forks import renew_in_children
from face_client.messages import Request, Response
from face_client.tls import Tls
from face_client.wire import ask, ask_ready, call_span, channel, connection_arguments, response_from

_CLOSED_TOO_EARLY = "the client was closed before the answer came"


class AsyncTransport(Protocol):
    """Carries requests, any number at a time. Raises nothing but FaceError.

    For asyncio: a task that is cancelled gives its request up.
    """

    async def infer(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds; infinity for no limit."""

    async def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests."""

    async def close(self) -> None:
        """Give up calls that are open."""


class AsyncGrpcTransport:
    """A Triton server at "host:port". Connects at the first call, and anew in a forked process.

    With asyncio the connection belongs to that call's event loop; when this has ended, another may make its own.

    name: the "host:port" whose address `url` is, and whose certificate the server must have.
    """

    def __init__(self, url: str, tls: Tls | None = None, name: str | None = None) -> None:
        self._arguments = connection_arguments(url, tls, name)
        self._tls = tls
        self._lock = threading.Lock()
        self._made: Any = None
        self._place: Place | None = None
        self._given_up: list[Any] = []
        self._closed = False
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: the parent's connection is not for this one to use, nor to close."""
        self._lock = threading.Lock()
        self._give_up()

    async def infer(self, request: Request, timeout: float) -> Response:
        with self._face_errors(), call_span(request.model, request.id) as headers:
            return response_from(await ask(self._channel(), request, timeout, headers))

    async def is_ready(self, model: str, timeout: float) -> bool:
        with self._face_errors():
            return bool((await ask_ready(self._channel(), model, timeout)).ready)

    async def close(self) -> None:
        with self._lock:
            self._closed = True
        if self._made is not None:
            await self._made.close()

    def _channel(self) -> Any:
        with self._lock:
            if self._closed:
                raise Cancelled("the client is closed")
            if self._place is not None and not self._place.is_here():
                self._give_up()
            if self._made is None:
                self._place = Place()
                self._made = channel(channels, self._arguments)
            return self._made

    def _give_up(self) -> None:
        """Leave the connection as it is, and keep it: its end would wait for threads or a loop that are not there."""
        if self._made is not None:
            self._given_up.append(self._made)
        self._made = self._place = None

    @contextmanager
    def _face_errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            status = error.code()
            if self._closed and status is grpc.StatusCode.CANCELLED:
                raise Cancelled(_CLOSED_TOO_EARLY) from error
            raise error_from_status(status.name, likely_cause(error.details() or "", self._tls)) from error
        except CHANNEL_CLOSED as error:
            if self._closed and not is_cancelled():
                raise Cancelled(_CLOSED_TOO_EARLY) from error
            raise
