"""Requests as the protocol has them, so that they can say what no client library would let them say."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tritonclient.grpc import service_pb2

from face_bench.wire import infer_request

Message = service_pb2.ModelInferRequest

OUTPUTS = {
    "mtcnn": ("boxes", "probabilities", "landmarks", "angles", "num_faces", "picture_size", "candidates_dropped"),
    "face_recognition": ("boxes", "num_faces", "embeddings"),
    "face_embeddings": ("embeddings",),
    "pnet": ("regression__0", "probability__1"),
    "rnet": ("regression__0", "probability__1"),
    "onet": ("regression__0", "landmarks__1", "probability__2"),
    "facenet": ("embeddings__0",),
}


def message(
    model: str, inputs: Mapping[str, np.ndarray], parameters: Mapping | None = None, outputs: Sequence[str] = ()
) -> Message:
    """A request with arrays for its inputs, bytes as objects."""
    request = infer_request(model, inputs, outputs or OUTPUTS[model])
    for name, value in (parameters or {}).items():
        set_parameter(request.parameters[name], value)
    return request


def add_tensor(request: Message, name: str, datatype: str, shape: Iterable[int], data: bytes) -> None:
    """An input that may be anything."""
    request.inputs.add(name=name, datatype=datatype, shape=shape)
    request.raw_input_contents.append(data)


def set_parameter(parameter: service_pb2.InferParameter, value: object) -> None:
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        parameter.int64_param = value
    elif isinstance(value, int):
        parameter.uint64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value


def encoded(*files: bytes) -> dict[str, np.ndarray]:
    """Pictures as files, one request."""
    array = np.empty((len(files), 1), object)
    array[:, 0] = files
    return {"encoded_image": array}


def pixels(*images: np.ndarray) -> dict[str, np.ndarray]:
    """Pictures of one size as pixels, UINT8 [H,W,3] each, one request."""
    return {"image": np.stack(images)}
