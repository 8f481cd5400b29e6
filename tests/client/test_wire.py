"""A request's bytes, beside protobuf's own."""

import numpy as np
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.utils import np_to_triton_dtype, serialize_byte_tensor

from face_client.messages import Request
from face_client.wire import infer_message


def plainly(request):
    """The message, with all copies."""
    message = service_pb2.ModelInferRequest(model_name=request.model, id=request.id)
    for name, array in request.inputs.items():
        message.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        is_bytes = array.dtype == np.object_
        message.raw_input_contents.append(serialize_byte_tensor(array).item() if is_bytes else array.tobytes())
    for name in request.outputs:
        message.outputs.add(name=name)
    for name, value in request.parameters.items():
        fields = {"True": "bool_param", "7": "int64_param", "0.5": "double_param", "largest": "string_param"}
        setattr(message.parameters[name], fields[str(value)], value)
    return message


SHAPES = [
    (1, 1, 1, 3),
    (1, 5, 5, 5),
    (1, 8, 4, 4),
    (1, 30, 40, 3),
    (2, 129, 127, 3),
    (1, 500, 1400, 3),
    (0, 160, 160, 3),
]
"""Lengths of one byte, of two at their limits (125, 128), and more; none at all."""


@pytest.mark.parametrize("shape", SHAPES)
def test_arrays(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    views = array, array[:, ::-1], np.asfortranarray(array), array.astype(np.float32)
    for given in views:
        request = Request("mtcnn", {"image": given}, ("boxes", "num_faces"), {"factor": 0.5})
        assert service_pb2.ModelInferRequest.FromString(infer_message(request)) == plainly(request)


def test_bytes_and_several_inputs():
    for size in (0, 1, 123, 124, 20_000, 3_000_000):
        files = np.array([[b"x" * size], [b"\x00y"]], np.object_)
        inputs = {"encoded_image": files, "a": np.arange(6, dtype=np.int32).reshape(2, 3)}
        request = Request("face_recognition", inputs, ())
        assert service_pb2.ModelInferRequest.FromString(infer_message(request)) == plainly(request)


def test_parameters_of_each_type():
    parameters = {"clip": True, "max_faces": 7, "factor": 0.5, "selection": "largest"}
    request = Request("mtcnn", {}, (), parameters)
    assert service_pb2.ModelInferRequest.FromString(infer_message(request)) == plainly(request)
