"""Several servers as one: requests are spread over them, and go to the others when one is gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Callable

from face_client.endpoints import PROBE_TIMEOUT_S, Endpoints, time_left
from face_client.errors import Cancelled, FaceError
from face_client.messages import Request, Response
from face_client.streaming import Stream
from face_client.transport import Transport


def balanced(transports: Sequence[Transport]) -> Transport:
    """One transport for all servers, or the only one there is."""
    return transports[0] if len(transports) == 1 else BalancedTransport(transports)


class BalancedTransport:
    """One transport a server. A request that fails is not sent again here: the client's retries choose anew."""

    def __init__(self, transports: Sequence[Transport]) -> None:
        self._transports = transports
        self._endpoints = Endpoints(len(transports))

    def infer(self, request: Request, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        index = self._choose(request.model, deadline)
        left = time_left(deadline)
        with self._endpoints.asking(index):
            return self._transports[index].infer(request, left)

    def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests on any server."""
        failure: FaceError | None = None
        for transport in self._transports:
            try:
                if transport.is_ready(model, timeout / len(self._transports)):
                    return True
            except FaceError as error:
                failure = error
        if failure is not None:
            raise failure
        return False

    def open_stream(self) -> Stream:
        return BalancedStream(self._transports, self._endpoints, self._choose_for_stream)

    def close(self) -> None:
        for transport in self._transports:
            transport.close()

    def _choose(self, model: str, deadline: float) -> int:
        while True:
            index, probe = self._endpoints.choose()
            if not probe or self._is_there(index, model, deadline):
                return index

    def _choose_for_stream(self, model: str, deadline: float) -> int:
        """A server that has just said that it is there, if any does: nothing of a stream is tried again."""
        for _ in self._transports:
            index, _ = self._endpoints.choose()
            if self._is_there(index, model, deadline):
                break
        return index

    def _is_there(self, index: int, model: str, deadline: float) -> bool:
        timeout = min(PROBE_TIMEOUT_S, deadline - time.monotonic())
        is_there = False
        try:
            is_there = self._transports[index].is_ready(model, max(timeout, 0.001))
        except FaceError:
            pass
        finally:
            self._endpoints.probed(index, is_there)
        return is_there


class BalancedStream:
    """A stream to one of the servers, chosen when the first request comes. Where that one goes, the stream breaks.

    choose(model, deadline): the index of a server that is there.
    """

    def __init__(
        self, transports: Sequence[Transport], endpoints: Endpoints, choose: Callable[[str, float], int]
    ) -> None:
        self._transports = transports
        self._endpoints = endpoints
        self._choose = choose
        self._lock = threading.Lock()
        self._closed = False
        self._opened: tuple[int, Stream] | None = None

    @property
    def broken(self) -> FaceError | None:
        return None if self._opened is None else self._opened[1].broken

    def infer(self, request: Request, timeout: float) -> Response:
        deadline = time.monotonic() + timeout
        index, stream = self._open(request.model, deadline)
        left = time_left(deadline)
        with self._endpoints.asking(index):
            return stream.infer(request, left)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._opened is not None:
                self._opened[1].close()

    def _open(self, model: str, deadline: float) -> tuple[int, Stream]:
        with self._lock:
            if self._opened is None:
                if self._closed:
                    # A worker that is late; whoever owns the stream has gone.
                    raise Cancelled("the stream was closed")
                index = self._choose(model, deadline)
                self._opened = index, self._transports[index].open_stream()
            return self._opened
