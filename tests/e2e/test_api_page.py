"""docs/api.md by itself: its snippets run, and what it says of the wire is so."""

import io
import json
import re
import shutil
import struct
import subprocess
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from tests.pictures import DATA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()
FILE = (DATA / "astronaut.png").read_bytes()


@pytest.fixture(scope="module")
def infer(triton):
    """ModelInfer as gRPC itself has it, without a client library's ways of filling a message."""
    with grpc.insecure_channel(triton.grpc_url) as channel:
        stub = GRPCInferenceServiceStub(channel)
        yield lambda request: stub.ModelInfer(request, timeout=60)


def asked(*raw, name="encoded_image", datatype="BYTES", shape=(1, 1), outputs=("num_faces",), **parameters):
    """A request; parameters as name=(kind, value)."""
    request = service_pb2.ModelInferRequest(model_name="mtcnn", raw_input_contents=raw)
    request.inputs.add(name=name, datatype=datatype, shape=shape)
    for output in outputs:
        request.outputs.add(name=output)
    for key, (kind, value) in parameters.items():
        setattr(request.parameters[key], kind, value)
    return request


def element(file):
    return struct.pack("<I", len(file)) + file


def tensors(answer):
    return {output.name: raw for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)}


def printed(triton, snippet, *command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"not on this machine: {command[0]}")
    (code,) = re.findall(rf"^```{snippet}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    code = code.replace("http://127.0.0.1:8000", triton.http_url)
    done = subprocess.run([*command, code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_snippets_print_what_the_page_shows(triton):
    (shown,) = re.findall(r"^```json\n(.*)\n```$", PAGE, re.MULTILINE)
    # The last bit is another on another processor.
    numbers = re.compile(r"\d+\.\d+")
    answer = printed(triton, "bash", "bash", "-c")
    assert numbers.sub("x", answer) == numbers.sub("x", shown)
    *box, _ = values = [float(number) for number in numbers.findall(shown)]
    assert [float(number) for number in numbers.findall(answer)] == pytest.approx(values, abs=1e-3)
    assert json.loads(printed(triton, "js", "node", "--input-type=module", "--eval")) == pytest.approx(box, abs=1e-3)


def test_files_of_any_sizes_in_one_value(infer):
    grey = io.BytesIO()
    Image.new("RGB", (50, 40)).save(grey, "PNG")
    files = element(FILE) + element(grey.getvalue())
    found = tensors(infer(asked(files, shape=(2, 1), outputs=("boxes", "num_faces", "picture_size"))))
    assert struct.unpack("<2i", found["num_faces"]) == (1, 0)
    assert struct.unpack("<4i", found["picture_size"]) == (512, 512, 50, 40)
    boxes = np.frombuffer(found["boxes"], "<f4").reshape(2, 1, 4)
    assert boxes[0].all()
    assert not boxes[1].any()
    with pytest.raises(grpc.RpcError) as error:
        infer(asked(element(FILE) + element(b"junk"), shape=(2, 1)))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_contents_have_no_length(infer):
    request = asked()
    request.inputs[0].contents.bytes_contents.append(FILE)
    assert struct.unpack("<i", tensors(infer(request))["num_faces"]) == (1,)
    request = asked(name="image", datatype="UINT8", shape=(1, 4, 5, 3))
    request.inputs[0].contents.uint_contents.extend(range(60))
    assert struct.unpack("<i", tensors(infer(request))["num_faces"]) == (0,)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("min_face_size", {"double_param": 40.5, "int64_param": 40, "string_param": "40.5"}, {"bool_param": True}),
        ("max_faces", {"int64_param": 1, "double_param": 1.0, "string_param": "1"}, {"double_param": 1.5}),
        ("align", {"bool_param": True, "string_param": "true"}, {"int64_param": 1}),
        ("selection", {"string_param": "largest"}, {"int64_param": 1}),
        ("min_face_size", {}, {"uint64_param": 40}),
        # Triton's own: never the model's concern.
        ("priority", {"uint64_param": 0}, {}),
        ("timeout", {"int64_param": 30_000_000}, {}),
    ],
)
def test_kinds_of_parameters(infer, name, good, bad):
    for kind in good.items():
        assert struct.unpack("<i", tensors(infer(asked(element(FILE), **{name: kind})))["num_faces"]) == (1,)
    for kind in bad.items():
        with pytest.raises(grpc.RpcError, match=name):
            infer(asked(element(FILE), **{name: kind}))


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (asked(bytes(12), name="image", datatype="UINT8", shape=(64, 64, 3)), "batch-size must be <= 16"),
        (asked(FILE), "incomplete string data"),
        (asked(element(FILE), outputs=("box",)), "unexpected inference output 'box'"),
    ],
)
def test_what_triton_refuses_itself(infer, request_, words):
    with pytest.raises(grpc.RpcError, match=words) as error:
        infer(request_)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v2/health/live", None, 200),
        ("/v2/health/ready", None, 200),
        ("/v2/models/mtcnn/ready", None, 200),
        ("/v2/models/nobody/ready", None, 400),
        ("/v2", None, 200),
        ("/v2/models/mtcnn", None, 200),
        ("/v2/models/mtcnn/config", None, 200),
        ("/v2/models/mtcnn/stats", None, 200),
        ("/v2/repository/index", b"", 403),
        ("/v2/models/mtcnn/infer", b"{", 500),
        ("/v2/models/nobody/infer", b"{}", 404),
        ("/v2/models/mtcnn/infer", b'{"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1]}]}', 400),
    ],
)
def test_statuses_of_http(triton, path, body, status):
    connection = HTTPConnection(triton.http_url.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request("GET" if body is None else "POST", path, body)
        answer = connection.getresponse()
        assert answer.status == status, answer.read()
