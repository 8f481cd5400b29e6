"""Hypothesis strategies: requests that are nearly right, and some that are far from it."""

import random
from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from face_bench.wire import tensor_bytes
from tests.e2e.fuzz.messages import OUTPUTS, Message, add_tensor, set_parameter

# Model → its inputs: name, type, and a shape that is right; None is any small size.
INPUTS = {
    "mtcnn": (("image", "UINT8", (1, None, None, 3)), ("encoded_image", "BYTES", (1, 1))),
    "face_recognition": (("image", "UINT8", (1, None, None, 3)), ("encoded_image", "BYTES", (1, 1))),
    "face_embeddings": (("facenet_crops", "UINT8", (1, 2, 160, 160, 3)), ("num_crops", "INT32", (1, 1))),
    "pnet": (("tiles__0", "FP32", (1, 3, None, None)),),
    "rnet": (("crops__0", "FP32", (2, 3, 24, 24)),),
    "onet": (("crops__0", "FP32", (2, 3, 48, 48)),),
    "facenet": (("crops__0", "UINT8", (1, 160, 160, 3)),),
}

_BYTES_OF = {"BOOL": 1, "UINT8": 1, "INT8": 1, "UINT16": 2, "INT16": 2, "FP16": 2, "BF16": 2}
_BYTES_OF |= {"UINT32": 4, "INT32": 4, "FP32": 4, "UINT64": 8, "INT64": 8, "FP64": 8}


_TYPES = (
    *("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"),
    *("FP16", "FP32", "FP64", "BYTES", "BF16", "", "uint8", "STRING", "JSON"),
)

_PARAMETERS = (
    *("min_face_size", "threshold_pnet", "threshold_rnet", "threshold_onet", "factor"),
    *("max_faces", "selection", "image_size", "margin", "align", "rotations", "clip"),
)
# Words of Triton's own, and some that are nobody's.
_OTHER_PARAMETERS = ("timeout", "sequence_id", "sequence_start", "sequence_end", "headers", "binary_data_output", "")

_SIZES = st.one_of(
    st.integers(1, 90), st.sampled_from((0, -1, 1, 2, 3, 11, 12, 2**31 - 1, 2**31, 2**32, 2**62, -(2**63)))
)

_NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from((0.1, 0.5, 0.6, 0.709, 0.9, 1.0, 10, 20, 40, 160, 1024, 65535, 100_000, -0.0, 5e-324, 1e308)),
)
_STRINGS = st.one_of(
    st.text(max_size=12),
    _NUMBERS.map(str),
    st.sampled_from(
        (
            "all",
            "largest",
            "true",
            "False",
            "nan",
            "-inf",
            "1e999",
            "9" * 5000,
            "0x20",
            "1_0",
            "٣",
            '"',
            "\\",
            "\0",
            "\n",
            "{}",
        )
    ),
)
_VALUES = st.one_of(_NUMBERS, _STRINGS, st.booleans())

_NAMES = st.one_of(st.sampled_from(_PARAMETERS * 5 + _OTHER_PARAMETERS), st.text(max_size=8))


@st.composite
def requests(draw: st.DrawFn) -> Message:
    """Any request to any model of ours. Pictures are small, so that thousands of them can be sent."""
    model = draw(st.sampled_from(("mtcnn",) * 8 + tuple(INPUTS)))
    request = Message(model_name=model, id=draw(st.text(max_size=5)))
    for name, datatype, shape in _chosen(draw, INPUTS[model]):
        _add_input(draw, request, name, datatype, shape)
    if draw(st.integers(0, 9)) == 0:
        _misplace(draw, request)
    _add_parameters(draw, request)
    for name in OUTPUTS[model] if draw(st.integers(0, 9)) else draw(st.lists(st.text(max_size=8), max_size=3)):
        request.outputs.add(name=name)
    if request.outputs and draw(st.integers(0, 19)) == 0:
        set_parameter(request.outputs[0].parameters["classification"], draw(st.integers(-1, 5)))
    if draw(st.integers(0, 29)) == 0:
        request.model_version = draw(st.sampled_from(("1", "2", "-1", "x", "99999999999999999999")))
    return request


def generated(strategy: st.SearchStrategy[Message], count: int, number: int, take: Callable[[Message], None]) -> None:
    """Calls `take` with `count` messages; the same ones for the same number."""

    @seed(number)
    @settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(request: Message) -> None:
        take(request)

    run()


def _chosen(draw, inputs):
    """Of a model that takes one of two inputs mostly one; else mostly all."""
    if inputs[0][0] == "image":
        return draw(st.sampled_from((inputs[:1],) * 4 + (inputs[1:],) + (inputs, ())))
    return draw(st.sampled_from((inputs,) * 6 + (inputs[:1], ())))


def _add_input(draw, request, name, datatype, shape) -> None:
    sizes = [draw(st.integers(1, 90)) if size is None else size for size in shape]
    altered = draw(st.sampled_from(("nothing",) * 6 + ("name", "type", "size", "shape", "batch", "data", "region")))
    if altered == "name":
        name = draw(st.text(max_size=10))
    elif altered == "type":
        datatype = draw(st.sampled_from(_TYPES))
    elif altered == "size":
        sizes[draw(st.integers(0, len(sizes) - 1))] = draw(_SIZES)
    elif altered == "shape":
        sizes = draw(st.lists(_SIZES, max_size=6))
    elif altered == "batch":
        sizes[0] = draw(st.integers(0, 20))
    data = _data(draw, datatype, sizes)
    # Of bytes that lie about their length Triton 2.51 makes others in the batch pay: those go alone (`special`).
    if altered == "data" and datatype != "BYTES":
        data = draw(st.sampled_from((data[:-1], data[: len(data) // 2], data + b"\0", data * 2, b"")))
    if wraps_around(sizes, len(data), _BYTES_OF.get(datatype, 1)):
        return
    add_tensor(request, name, datatype, sizes, data)
    if altered == "region":
        parameters = request.inputs[-1].parameters
        set_parameter(
            parameters["shared_memory_region"], draw(st.sampled_from(("", "mine", "triton_python_backend_shm")))
        )
        set_parameter(parameters["shared_memory_byte_size"], draw(st.integers(-1, 2**40)))


def _data(draw, datatype, sizes) -> bytes:
    """As much as the shape asks for, if that is no more than a picture has."""
    count = int(np.prod([float(size) for size in sizes]))
    count = count if 0 <= count <= 10**6 else draw(st.integers(0, 100))
    rng = random.Random(draw(st.integers(0, 2**32)))
    if datatype == "BYTES":
        items = np.array([rng.randbytes(rng.choice((0, 1, 50))) for _ in range(min(count, 100))], object)
        return tensor_bytes(items)
    return rng.randbytes(min(count * _BYTES_OF.get(datatype, 1), 4 * 10**6))


def wraps_around(sizes: list[int], held: int, size: int) -> bool:
    """Whether a shape, counted in 64 bits, comes to just the bytes that are there, and in truth to far more.

    Triton 2.51 takes such a request, and the model's process dies of it: known, and never sent (docs/security.md).
    """
    count = size
    for number in sizes:
        count *= number
    return abs(count) >= 2**62 and (count - held) % 2**32 == 0


def _misplace(draw, request) -> None:
    """Data where they do not belong: twice, in the typed field, or for a tensor that is not there."""
    how = draw(st.sampled_from(("typed", "twice", "without tensor", "lost")))
    if how == "twice" and request.inputs:
        request.inputs.add().CopyFrom(request.inputs[0])
        request.raw_input_contents.append(request.raw_input_contents[0])
    elif how == "without tensor":
        request.raw_input_contents.append(b"x" * draw(st.integers(0, 50)))
    elif how == "lost":
        del request.raw_input_contents[:]
    elif how == "typed" and request.inputs:
        contents = request.inputs[0].contents
        contents.uint_contents.extend(draw(st.lists(st.integers(0, 2**32 - 1), max_size=20)))
        contents.fp32_contents.extend(draw(st.lists(st.floats(width=32), max_size=5)))
        contents.bytes_contents.extend(draw(st.lists(st.binary(max_size=20), max_size=3)))
        if draw(st.booleans()):
            del request.raw_input_contents[:]


def _add_parameters(draw, request) -> None:
    for name, value in draw(st.dictionaries(_NAMES, _VALUES, max_size=3)).items():
        set_parameter(request.parameters[name], value)
