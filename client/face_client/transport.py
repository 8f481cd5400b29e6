from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakSet

import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from face_client.errors import Cancelled, error_from_status
from face_client.messages import Request, Response, connection_arguments, infer_arguments, response_from
from face_client.streaming import GrpcStream, Stream
from face_client.tls import Tls

# OpenTelemetry, for programs that use it: a span around each call, and headers that join the server's spans to it.
#
# Needs no package: a program that traces has loaded OpenTelemetry itself. In every other one nothing happens here.


@contextmanager
def call_span(model: str, request_id: str) -> Iterator[dict[str, str]]:
    """A span around a call to a model; gives the W3C headers to send with it, none where nobody traces."""
    if "opentelemetry.trace" not in sys.modules:
        yield {}
        return
    # Loaded already, and not for us to load.
    from opentelemetry import propagate, trace

    attributes = {"faces.model": model, "faces.request_id": request_id}
    tracer = trace.get_tracer("face_client")
    with tracer.start_as_current_span(f"infer {model}", kind=trace.SpanKind.CLIENT, attributes=attributes):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        yield headers


# One inference over gRPC. FaceClient needs no more than `Transport`; a test brings its own.
#
# What is known of tritonclient stands in the transports, in `face_client.streaming` and in `face_client.messages`.


class Transport(Protocol):
    """Carries requests. Called from many threads at once; raises nothing but FaceError."""

    def infer(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds."""

    def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests."""

    def open_stream(self) -> Stream:
        """A stream of requests to one server; its owner closes it."""

    def close(self) -> None:
        """Give up calls that are open."""


class GrpcTransport:
    """A Triton server at "host:port". Connects at the first call."""

    def __init__(self, url: str, tls: Tls | None = None) -> None:
        self._arguments = connection_arguments(url, tls)
        self._triton = triton.InferenceServerClient(**self._arguments)
        self._closed = False
        self._streams: WeakSet[GrpcStream] = WeakSet()

    def infer(self, request: Request, timeout: float) -> Response:
        try:
            with call_span(request.model, request.id) as headers:
                result = self._open().infer(**infer_arguments(request), headers=headers, client_timeout=timeout)
        except InferenceServerException as error:
            raise error_from_status(error.status(), error.message()) from error
        return response_from(result)

    def is_ready(self, model: str, timeout: float) -> bool:
        try:
            return bool(self._open().is_model_ready(model, client_timeout=timeout))
        except InferenceServerException as error:
            raise error_from_status(error.status(), error.message()) from error

    def open_stream(self) -> Stream:
        # tritonclient has one stream a client; gRPC puts clients of one server on one connection.
        self._open()
        stream = GrpcStream(triton.InferenceServerClient(**self._arguments))
        self._streams.add(stream)
        return stream

    def close(self) -> None:
        self._closed = True
        for stream in list(self._streams):
            stream.close()
        self._triton.close()

    def _open(self) -> triton.InferenceServerClient:
        if self._closed:
            raise Cancelled("the client is closed")
        return self._triton
