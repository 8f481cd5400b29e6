"""Both transports over a real gRPC connection to a servicer that speaks Triton's protocol."""

import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from face_client import Cancelled, DeadlineExceeded, InvalidInput, ServerUnavailable
from tests.client.small_server import SmallServer, free_url, start_server


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Answers with `count` faces; the parameter max_faces stands for a way to fail."""

    def ModelReady(self, request, _context):  # noqa: N802 the protocol's
        return service_pb2.ModelReadyResponse(ready=request.name == "mtcnn")

    def ModelInfer(self, request, context):  # noqa: N802 the protocol's
        self.request = request
        fault = request.parameters["max_faces"].int64_param
        if fault == 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "max_faces is 1; it must be another")
        if fault == 2:
            time.sleep(1)
        if fault == 3:
            closed = threading.Event()
            context.add_callback(closed.set)
            closed.wait(30)
        response = service_pb2.ModelInferResponse(model_name=request.model_name)
        for name, array, datatype in (
            ("boxes", np.array([[[1.5, 2, 3, 4]]], np.float32), "FP32"),
            ("probabilities", np.array([[0.5]], np.float32), "FP32"),
            ("landmarks", np.ones((1, 1, 5, 2), np.float32), "FP32"),
            ("num_faces", np.array([[1]], np.int32), "INT32"),
            ("candidates_dropped", np.array([[3]], np.int32), "INT32"),
            ("picture_size", np.array([[40, 30]], np.int32), "INT32"),
        ):
            response.outputs.add(name=name, datatype=datatype, shape=array.shape)
            response.raw_output_contents.append(array.tobytes())
        return response


@pytest.fixture
def served():
    """(url, servicer) of a server in this process."""
    servicer = Servicer()
    server, port = start_server(servicer, workers=4, options=[("grpc.max_receive_message_length", -1)])
    yield f"127.0.0.1:{port}", servicer
    server.stop(0).wait()


def test_what_goes_over_the_wire(twin, served, picture, encode):
    url, servicer = served
    with twin(url) as client:
        faces = client.detect(picture, min_face_size=40, factor=0.5, selection="largest")
        tensor = servicer.request.inputs[0]
        assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("image", "UINT8", [1, 30, 40, 3])
        assert servicer.request.raw_input_contents[0] == picture.tobytes()
        parameters = servicer.request.parameters
        assert parameters["min_face_size"].double_param == 40
        assert parameters["factor"].double_param == 0.5
        assert parameters["selection"].string_param == "largest"
        asked = [output.name for output in servicer.request.outputs]
        assert asked == ["boxes", "probabilities", "landmarks", "num_faces", "candidates_dropped", "picture_size"]
        assert faces.boxes.tolist() == [[1.5, 2, 3, 4]]
        assert faces.candidates_dropped == 3
        faces.boxes[0, 0] = 0

        data = encode(picture, "PNG")
        client.detect(data)
        tensor = servicer.request.inputs[0]
        assert (tensor.name, tensor.datatype, list(tensor.shape)) == ("encoded_image", "BYTES", [1, 1])
        assert servicer.request.raw_input_contents[0] == len(data).to_bytes(4, "little") + data


def test_messages_may_be_large(twin, served):
    with twin(served[0]) as client:
        assert len(client.detect(np.zeros((2000, 2000, 3), np.uint8))) == 1


def test_errors_of_the_wire(twin, served, picture):
    with twin(served[0], timeout=0.5) as client:
        with pytest.raises(InvalidInput, match=r"^max_faces is 1; it must be another$") as raised:
            client.detect(picture, max_faces=1)
        assert raised.value.request_id
        with pytest.raises(DeadlineExceeded):
            client.detect(picture, max_faces=2)


def test_readiness(twin, served):
    with twin(served[0]) as client:
        assert client.is_ready()
    with twin(served[0], model="another") as client:
        assert not client.is_ready()


def test_nobody_there(twin, picture):
    with twin("127.0.0.1:1", timeout=5, retries=1) as client:
        assert not client.is_ready()
        with pytest.raises(ServerUnavailable):
            client.detect(picture)


@pytest.mark.slow
def test_a_server_that_is_starting_is_waited_for(twin, picture):
    url = free_url()
    started = []
    timer = threading.Timer(0.4, lambda: started.append(SmallServer(int(url.rpartition(":")[2]))))
    timer.start()
    assert len(twin(url, retries=20).detect(picture)) == len(picture)
    timer.join()
    started[0].stop()


def test_a_model_that_is_being_loaded_is_waited_for(twin, picture):
    server = SmallServer()
    server.loading = {"mtcnn"}
    threading.Timer(0.2, server.loading.clear).start()
    assert len(twin(server.url).detect(picture)) == len(picture)
    assert server.calls > 1
    server.stop()


def test_a_call_that_the_server_gives_up_is_asked_again(twin, picture):
    """As one does that ends. It is not this client that has lost interest."""
    server = SmallServer()
    server.mode = "cancel"
    with pytest.raises(ServerUnavailable, match="gives its calls up") as raised:
        twin(server.url, retries=2).detect(picture)
    assert type(raised.value) is ServerUnavailable
    assert server.calls == 3
    threading.Timer(0.2, setattr, (server, "mode", "answer")).start()
    assert len(twin(server.url).detect(picture)) == len(picture)
    server.stop()


def test_a_closed_client(twin, served, picture):
    client = twin(served[0])
    client.detect(picture)
    client.close()
    with pytest.raises(Cancelled, match="the client is closed"):
        client.detect(picture)
    assert isinstance(next(client.detect_each([picture])), Cancelled)
    assert not client.is_ready()


@pytest.mark.slow
def test_closing_gives_up_what_is_in_flight(twin, served, picture):
    started = time.monotonic()
    with twin(served[0]) as client:
        answers = client.detect_batch([picture] * 50, max_faces=2, in_flight=4)
        next(answers)
        answers.close()
    assert time.monotonic() - started < 2


def test_closing_gives_up_the_call_that_is_open(twin, served, picture):
    client = twin(served[0], timeout=60)
    client.detect(picture)
    client.close_soon(0.2)
    with pytest.raises(Cancelled, match="the client was closed before the answer came"):
        client.detect(picture, max_faces=3)


def test_reading_images_needs_no_grpc():
    code = "import face_pictures.decoding, face_tools.detect, sys; sys.exit('tritonclient' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
