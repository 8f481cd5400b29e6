"""Many requests over one gRPC stream, Triton's ModelStreamInfer.

Triton answers the requests of a stream in their order, one by one. What it says of a request that fails is a sentence
without the request's id and without a kind of error, so that request is the oldest one unanswered, and whoever needs
to know more asks again outside of the stream.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Protocol

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from face_client.errors import Cancelled, DeadlineExceeded, FaceError, ServerUnavailable
from face_client.messages import Request, Response, infer_arguments, response_from


class RefusedInStream(FaceError):
    """One request of a stream failed, of what kind nobody knows; the stream goes on."""


class Stream(Protocol):
    """Carries requests to one server, from many threads at once."""

    @property
    def broken(self) -> FaceError | None:
        """Why nothing is carried any more; None as long as it is."""

    def infer(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds. Raises RefusedInStream, DeadlineExceeded, or what broke the stream."""

    def close(self) -> None:
        """Give up requests that are open."""


class AnyFuture(Protocol):
    """What `concurrent.futures` and asyncio have in common."""

    def done(self) -> bool: ...

    def set_result(self, result: Response, /) -> None: ...

    def set_exception(self, exception: FaceError, /) -> None: ...


class Unanswered:
    """The requests of a stream that have no answer yet, in the order in which they were sent, and who waits."""

    def __init__(self) -> None:
        self._futures: dict[str, AnyFuture] = {}

    def add(self, request: Request, future: AnyFuture) -> None:
        self._futures[request.id] = future

    def answered(self, request_id: str, response: Response) -> None:
        future = self._futures.pop(request_id, None)
        if future is not None and not future.done():
            future.set_result(response)

    def refused(self, message: str) -> None:
        """By a sentence that does not say which request; answers come in order, so it is the oldest."""
        if self._futures:
            _fail(self._futures.pop(next(iter(self._futures))), RefusedInStream(message))

    def give_up(self, error: FaceError) -> None:
        while self._futures:
            _fail(self._futures.popitem()[1], error)


def _fail(future: AnyFuture, error: FaceError) -> None:
    """Where somebody still waits."""
    if not future.done():
        future.set_exception(error)


class GrpcStream:
    """A stream to one Triton server, open from the start. connection: its own, closed with it."""

    def __init__(self, connection: triton.InferenceServerClient) -> None:
        self.broken: FaceError | None = None
        self._unanswered = Unanswered()
        self._lock = threading.Lock()
        self._triton = connection
        self._triton.start_stream(self._receive)

    def infer(self, request: Request, timeout: float) -> Response:
        # One at a time: the order of sending is that of the answers.
        with self._lock:
            if self.broken is not None:
                raise self.broken
            future: Future[Response] = Future()
            self._unanswered.add(request, future)
            try:
                self._triton.async_stream_infer(**infer_arguments(request))
            except InferenceServerException as error:
                # It has just broken; what broke it is on its way to `_receive`.
                raise broken_stream(error.message()) from error
        try:
            return future.result(timeout)
        except FutureTimeout:
            raise DeadlineExceeded(f"no answer within the timeout of {timeout:g} s") from None

    def close(self) -> None:
        self._break(Cancelled("the stream was closed"))
        self._triton.stop_stream(cancel_requests=True)
        self._triton.close()

    def _receive(self, result: triton.InferResult | None, error: InferenceServerException | None) -> None:
        """Called by tritonclient, in a thread of its own."""
        if result is not None:
            with self._lock:
                self._unanswered.answered(result.get_response().id, response_from(result))
        elif error is not None and error.status() is None:
            with self._lock:
                self._unanswered.refused(error.message())
        elif error is not None:
            self._break(broken_stream(error.message()))

    def _break(self, error: FaceError) -> None:
        with self._lock:
            self.broken = self.broken or error
            self._unanswered.give_up(self.broken)


def broken_stream(reason: str | None) -> ServerUnavailable:
    """The error of everything that was on its way when a stream broke."""
    return ServerUnavailable(f"the stream to the server broke: {reason or 'it ended'}")
