"""Requests made into bytes once and sent many times, so that the load generator costs next to nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from face_bench.pictures import Picture
from face_client.messages import ImageLike, prepare

MODEL = "mtcnn"
OUTPUTS = ("boxes", "probabilities", "landmarks", "num_faces")
_METHOD = "/inference.GRPCInferenceService/ModelInfer"
_CALL_TIMEOUT_S = 60.0
_MAX_MESSAGE_BYTES = 2**31 - 1


@dataclass(frozen=True)
class WireRequest:
    """One serialised request for one picture."""

    name: str
    message: bytes


def mix(pictures: Iterable[Picture]) -> list[WireRequest]:
    """Every picture as raw pixels and as a JPEG file, in turns."""
    return [
        request
        for picture in pictures
        for request in (
            WireRequest(f"{picture.name}, raw", serialised(picture.pixels)),
            WireRequest(f"{picture.name}, JPEG", serialised(picture.jpeg)),
        )
    ]


def serialised(image: ImageLike, model: str = MODEL, outputs: Sequence[str] = OUTPUTS) -> bytes:
    """The whole request for one picture."""
    return serialised_tensors(prepare(image, max_side=None).tensors, model, outputs)


def serialised_tensors(tensors: Mapping[str, NDArray[Any]], model: str, outputs: Sequence[str]) -> bytes:
    """A request with these inputs, right or wrong."""
    request = service_pb2.ModelInferRequest(model_name=model)
    for name, array in tensors.items():
        request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        request.raw_input_contents.append(_tensor_bytes(array))
    for name in outputs:
        request.outputs.add(name=name)
    message: bytes = request.SerializeToString()
    return message


def _tensor_bytes(array: NDArray[Any]) -> bytes:
    if array.dtype == np.object_:
        encoded: bytes = serialize_byte_tensor(array).item()
        return encoded
    return array.tobytes()


class WireClient:
    """A connection of its own to the server."""

    def __init__(self, url: str) -> None:
        # Channels to the same address share one connection unless told not to.
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ]
        self._channel = grpc.insecure_channel(url, options)
        # No serializer: the message is bytes already.
        self._infer = self._channel.unary_unary(
            _METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString
        )

    def faces(self, request: WireRequest, timeout: float = _CALL_TIMEOUT_S) -> int:
        """Sends the request; the number of faces in the answer. Raises grpc.RpcError."""
        response = self._infer(request.message, timeout=timeout)
        names = [output.name for output in response.outputs]
        return int(np.frombuffer(response.raw_output_contents[names.index("num_faces")], np.int32)[0])

    def close(self) -> None:
        self._channel.close()
