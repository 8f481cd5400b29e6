"""How both load generators ask: requests made into bytes once and sent many times, and what becomes of each.

Serialised beforehand, a request costs the generator next to nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2
from tritonclient.utils import np_to_triton_dtype

from face_bench import BenchError
from face_bench.pictures import Picture

MODEL = "mtcnn"
RECOGNITION = "face_recognition"

_BOXES = ("boxes", "probabilities", "landmarks", "num_faces")
OUTPUTS = {MODEL: _BOXES, RECOGNITION: (*_BOXES, "embeddings")}
"""What each model is asked for."""

RAW, JPEG = "raw", "jpeg"
FORMATS = (RAW, JPEG)
"""How a picture is sent."""

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_CALL_TIMEOUT_S = 60.0
_MAX_MESSAGE_BYTES = 2**31 - 1

UNLIMITED = (
    ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
)
"""Options of a channel: messages of any length."""

# What became of a request: one of these, or else the name of its gRPC status.

GOOD = "good"
"""Answered, with the faces that the picture has."""

REFUSED = "refused"
"""A bad request that heard INVALID_ARGUMENT, as it must."""

EXPECTED = (GOOD, REFUSED)
"""All else is an error."""

WRONG_ANSWER = "other number of faces than alone"

BAD_ANSWERED = "bad request answered"

REJECTED = "UNAVAILABLE"
"""How a server says that it has too much to do."""

PAUSE_AFTER_ERROR_S = 0.05
"""A server that refuses at once must not be asked a thousand times a second."""


@dataclass(frozen=True)
class Request:
    """message: serialised. expected: faces in the answer when nothing else runs; None for one that must be refused."""

    name: str
    message: bytes
    expected: int | None = None


def picture_tensors(picture: Picture, form: str) -> dict[str, NDArray[Any]]:
    """The inputs for one picture in one of FORMATS: `image` [1,H,W,3], or `encoded_image` [1,1] with a file's bytes."""
    if form == RAW:
        return {"image": picture.pixels[np.newaxis]}
    return {"encoded_image": np.array([[picture.jpeg]], np.object_)}


def infer_request(
    model: str, tensors: Mapping[str, NDArray[Any]], outputs: Sequence[str] = ()
) -> service_pb2.ModelInferRequest:
    """A request with these inputs, right or wrong. outputs: those of the model unless told."""
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, array in tensors.items():
        request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        request.raw_input_contents.append(tensor_bytes(array))
    for name in outputs or OUTPUTS[model]:
        request.outputs.add(name=name)
    return request


def tensor_bytes(array: NDArray[Any]) -> bytes:
    """As the protocol lays an array out: bytes with their length before them, all else as it lies in memory."""
    if array.dtype == np.object_:
        return b"".join(len(item).to_bytes(4, "little") + item for item in array.reshape(-1))
    return array.tobytes()


class WireClient:
    """A connection of its own to the server."""

    def __init__(self, url: str) -> None:
        # Channels to the same address share one connection unless told not to.
        self._channel = grpc.insecure_channel(url, [("grpc.use_local_subchannel_pool", 1), *UNLIMITED])
        # No serializer: the message is bytes already.
        self._infer = self._channel.unary_unary(METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString)

    def faces(self, request: Request, timeout: float = _CALL_TIMEOUT_S) -> int:
        """Sends the request; the number of faces in the answer. Raises grpc.RpcError."""
        response = self._infer(request.message, timeout=timeout)
        names = [output.name for output in response.outputs]
        return int(np.frombuffer(response.raw_output_contents[names.index("num_faces")], np.int32)[0])

    def close(self) -> None:
        self._channel.close()


def ask(client: WireClient, request: Request, timeout: float = _CALL_TIMEOUT_S) -> str:
    """Sends a request; the outcome."""
    try:
        faces = client.faces(request, timeout)
    except grpc.RpcError as error:
        status: str = error.code().name
        return REFUSED if request.expected is None and status == "INVALID_ARGUMENT" else status
    if request.expected is None:
        return BAD_ANSWERED
    return GOOD if faces == request.expected else WRONG_ANSWER


def picture_requests(
    url: str, model: str, pictures: Iterable[Picture], formats: Sequence[str] = FORMATS
) -> list[Request]:
    """Every picture in every format, in turns. Each is sent once, alone, to know its answer. Raises BenchError."""
    client = WireClient(url)
    try:
        requests = [
            Request(
                f"{model} {form} {picture.name}",
                infer_request(model, picture_tensors(picture, form)).SerializeToString(),
            )
            for picture in pictures
            for form in FORMATS
            if form in formats
        ]
        return [replace(request, expected=client.faces(request)) for request in requests]
    except grpc.RpcError as error:
        raise BenchError(f"{url}, {model}: the server failed a request of one client: {error.details()}") from error
    finally:
        client.close()
