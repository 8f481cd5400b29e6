"""How a request travels: what tritonclient is told, what it returns, and the trace that a call belongs to.

Shared by the transports for threads and for asyncio.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from face_client.messages import Request, Response
from face_client.tls import Tls

# gRPC's largest: a 50-megapixel picture as raw pixels has 150 MB, and gRPC's own default is 4 MB.
_MAX_MESSAGE_BYTES = 2**31 - 1

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    # A peer that vanished without a word is noticed during a long call. Only while calls are open, and
    # not oftener: servers end connections that ping more than they like.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # Left alone, gRPC waits up to two minutes before it looks again for a server that is starting.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


# gRPC counts nanoseconds since 1970 in 63 bits, and takes a deadline beyond them for one that has passed.
_LONGEST_DEADLINE_S = 365 * 86_400.0


def connection_arguments(url: str, tls: Tls | None, name: str | None = None) -> dict[str, Any]:
    """Those of tritonclient's clients, for threads or for asyncio. url: host:port. name: host:port, where `url` is an
    address of it: the server's certificate must be for that host. Raises InvalidInput."""
    tls_arguments = {} if tls is None else tls.connection_arguments()
    # A proxy that is set for the world has no part in what stays on this machine, nor in which replica is asked.
    uses_proxy = name is None and not url.startswith(("127.", "localhost:"))
    options: list[tuple[str, int | str]] = [*_CHANNEL_OPTIONS, ("grpc.enable_http_proxy", int(uses_proxy))]
    if name is not None:
        options += [
            ("grpc.default_authority", name),
            ("grpc.ssl_target_name_override", name.rpartition(":")[0].rstrip(".")),
        ]
    return {"url": url, "channel_args": options, **tls_arguments}


def deadline(timeout: float) -> float | None:
    """The timeout as gRPC takes it: None for no limit."""
    return None if timeout > _LONGEST_DEADLINE_S else timeout


def infer_arguments(request: Request) -> dict[str, Any]:
    """Those of tritonclient's `infer`."""
    return {
        "model_name": request.model,
        "inputs": [_infer_input(name, array) for name, array in request.inputs.items()],
        "outputs": [triton.InferRequestedOutput(name) for name in request.outputs],
        "request_id": request.id,
        "parameters": dict(request.parameters),
    }


def response_from(result: triton.InferResult) -> Response:
    """The arrays that tritonclient received."""
    returned = [output.name for output in result.get_response().outputs]
    return Response({name: result.as_numpy(name) for name in returned})


@contextmanager
def call_span(model: str, request_id: str) -> Iterator[dict[str, str]]:
    """A span of OpenTelemetry around a call to a model; gives the W3C headers that join the server's spans to it.

    Needs no package: a program that traces has loaded OpenTelemetry itself. In every other one nothing happens here,
    and there are no headers.
    """
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


def _infer_input(name: str, array: NDArray[Any]) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor
