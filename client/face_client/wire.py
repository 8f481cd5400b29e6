"""What goes over the wire, and how tritonclient is told: shared by every transport."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from face_client.options import ParameterValue
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


@dataclass(frozen=True)
class Request:
    """inputs: arrays with their batch dimension (bytes as objects). outputs: names of those wanted.

    id: what logs and traces call the request, on both sides; the same for every attempt.
    """

    model: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)


@dataclass(frozen=True)
class Response:
    """outputs: arrays with their batch dimension."""

    outputs: Mapping[str, NDArray[Any]]


def connection_arguments(url: str, tls: Tls | None) -> dict[str, Any]:
    """Those of tritonclient's clients, for threads or for asyncio. url: host:port. Raises InvalidInput."""
    tls_arguments = {} if tls is None else tls.connection_arguments()
    # A proxy that is set for the world has no part in what stays on this machine.
    proxy = ("grpc.enable_http_proxy", int(not url.startswith(("127.", "localhost:"))))
    return {"url": url, "channel_args": [*_CHANNEL_OPTIONS, proxy], **tls_arguments}


def infer_arguments(request: Request) -> dict[str, Any]:
    """Those of tritonclient's `infer`, `async_stream_infer` and `stream_infer`."""
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


def _infer_input(name: str, array: NDArray[Any]) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor
