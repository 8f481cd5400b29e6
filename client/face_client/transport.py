"""One inference over gRPC. FaceClient needs no more than `Transport`; a test brings its own.

Everything known of tritonclient is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from face_client.errors import InvalidInput, error_from_status
from face_client.options import ParameterValue

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
    """inputs: arrays with their batch dimension (bytes as objects). outputs: names of those wanted."""

    model: str
    inputs: Mapping[str, NDArray[Any]]
    outputs: tuple[str, ...]
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Response:
    """outputs: arrays with their batch dimension."""

    outputs: Mapping[str, NDArray[Any]]


class Transport(Protocol):
    """Carries requests. Called from many threads at once; raises nothing but FaceError."""

    def infer(self, request: Request, timeout: float) -> Response:
        """The answer within `timeout` seconds."""

    def is_ready(self, model: str, timeout: float) -> bool:
        """Whether the model takes requests."""

    def close(self) -> None:
        """Give up calls that are open."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM format. Without `root_certificates`, those of the system are trusted."""

    root_certificates: str | None = None
    private_key: str | None = None
    certificate_chain: str | None = None


class GrpcTransport:
    """A Triton server at "host:port". Connects at the first call."""

    def __init__(self, url: str, tls: Tls | None = None) -> None:
        if "://" in url:
            raise InvalidInput(f"url is {url!r}; it must be host:port of the gRPC endpoint, without a scheme")
        tls_arguments = {} if tls is None else {"ssl": True, **vars(tls)}
        # A proxy that is set for the world has no part in what stays on this machine.
        proxy = ("grpc.enable_http_proxy", int(not url.startswith(("127.", "localhost:"))))
        self._triton = triton.InferenceServerClient(url, channel_args=[*_CHANNEL_OPTIONS, proxy], **tls_arguments)

    def infer(self, request: Request, timeout: float) -> Response:
        try:
            result = self._triton.infer(
                request.model,
                [_infer_input(name, array) for name, array in request.inputs.items()],
                outputs=[triton.InferRequestedOutput(name) for name in request.outputs],
                parameters=dict(request.parameters),
                client_timeout=timeout,
            )
        except InferenceServerException as error:
            raise error_from_status(error.status(), error.message()) from error
        returned = [output.name for output in result.get_response().outputs]
        return Response({name: result.as_numpy(name) for name in returned})

    def is_ready(self, model: str, timeout: float) -> bool:
        try:
            return bool(self._triton.is_model_ready(model, client_timeout=timeout))
        except InferenceServerException as error:
            raise error_from_status(error.status(), error.message()) from error

    def close(self) -> None:
        self._triton.close()


def _infer_input(name: str, array: NDArray[Any]) -> triton.InferInput:
    tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor
