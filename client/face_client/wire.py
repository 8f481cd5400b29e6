"""How a request travels: the connection, a request as a message and back, and the trace that a call belongs to.

Shared by the transports for threads and for asyncio. Messages are those of tritonclient. Its clients are not used: they
copy an array three times before gRPC has it, each time into fresh memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Union

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferResult, service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype

from face_client.messages import Request, Response
from face_client.tls import Tls

_INFER = "/inference.GRPCInferenceService/ModelInfer"

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


def channel(channels: Any, arguments: dict[str, Any]) -> Any:
    """A channel to where `connection_arguments` say. channels: the module grpc, or grpc.aio."""
    if not arguments.get("ssl"):
        return channels.insecure_channel(arguments["url"], arguments["channel_args"])
    files = (arguments[name] for name in ("root_certificates", "private_key", "certificate_chain"))
    credentials = grpc.ssl_channel_credentials(*(None if file is None else Path(file).read_bytes() for file in files))
    return channels.secure_channel(arguments["url"], credentials, arguments["channel_args"])


def _deadline(timeout: float) -> float | None:
    """The timeout as gRPC takes it: None for no limit."""
    return None if timeout > _LONGEST_DEADLINE_S else timeout


def ask(open_channel: Any, request: Request, timeout: float, headers: Mapping[str, str]) -> Any:
    """Sends a request; what `response_from` reads, or with asyncio an awaitable of it."""
    infer = open_channel.unary_unary(_INFER, response_deserializer=service_pb2.ModelInferResponse.FromString)
    return infer(infer_message(request), timeout=_deadline(timeout), metadata=tuple(headers.items()))


def ask_ready(open_channel: Any, model: str, timeout: float) -> Any:
    """Asks whether a model takes requests, which the answer calls `ready`; with asyncio an awaitable of it."""
    service = service_pb2_grpc.GRPCInferenceServiceStub(open_channel)
    return service.ModelReady(service_pb2.ModelReadyRequest(name=model), timeout=_deadline(timeout))


_Bytes = Union[bytes, memoryview]

_PARAMETER_FIELDS = {bool: "bool_param", int: "int64_param", float: "double_param", str: "string_param"}


def infer_message(request: Request) -> bytes:
    """The bytes of a ModelInferRequest, into which arrays are copied once.

    Those of a message are its fields one after the other, so what is large goes behind what protobuf has made.
    """
    message = service_pb2.ModelInferRequest(model_name=request.model, id=request.id)
    contents: list[_Bytes] = []
    for name, array in request.inputs.items():
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        contents += _raw_content(array)
    for name in request.outputs:
        message.outputs.add(name=name)
    for name, value in request.parameters.items():
        setattr(message.parameters[name], _PARAMETER_FIELDS[type(value)], value)
    return b"".join([message.SerializeToString(), *contents])


def _raw_content(array: NDArray[Any]) -> list[_Bytes]:
    """One of `raw_input_contents`: its key, its length and an array as Triton reads it. Of bytes each has its length
    before it."""
    parts: list[_Bytes] = []
    if array.dtype == np.object_:
        for item in array.reshape(-1):
            parts += [len(item).to_bytes(4, "little"), item]
    else:
        parts.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    key = service_pb2.ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER << 3 | 2
    return [_varint(key), _varint(sum(map(len, parts))), *parts]


def _varint(value: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, the lowest first; the eighth says that more follow."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def response_from(answer: service_pb2.ModelInferResponse) -> Response:
    """The arrays of an answer, which lie in its message."""
    result = InferResult(answer)
    return Response({output.name: result.as_numpy(output.name) for output in answer.outputs})


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
