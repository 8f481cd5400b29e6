"""A small picture over HTTP: what is sent, what comes back, and what each way to fail becomes."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from face_client import DeadlineExceeded, ServerUnavailable
from face_client.errors import ServerOverloaded
from face_client.messages import Request
from face_server.http_api import HttpTransport

REQUEST = Request(
    "mtcnn", {"image": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)}, ("boxes",), {"factor": 0.5}, "1"
)
BOXES = {"name": "boxes", "datatype": "FP32", "shape": [1, 1, 4], "data": [1, 2, 3, 4.5]}


class Handler(BaseHTTPRequestHandler):
    status, seconds, reason = 200, 0.0, "factor is wrong"
    body: dict

    def do_POST(self):
        Handler.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(self.seconds)
        text = json.dumps({"outputs": [BOXES]} if self.status == 200 else {"error": self.reason}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def transport(request, monkeypatch):
    """Of a server that answers as the test's parameters say."""
    for name, value in getattr(request, "param", {}).items():
        monkeypatch.setattr(Handler, name, value)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield HttpTransport(f"http://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()


def test_there_and_back(transport):
    boxes = transport.infer(REQUEST, 5).outputs["boxes"]
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[[1, 2, 3, 4.5]]]
    (image,) = Handler.body["inputs"]
    assert (image["datatype"], image["shape"], image["data"]) == ("UINT8", [1, 2, 2, 3], list(range(12)))
    assert Handler.body["parameters"] == {"factor": 0.5}
    assert Handler.body["outputs"] == [{"name": "boxes"}]


@pytest.mark.parametrize("transport", [{"status": 400}], indirect=True)
def test_a_refusal(transport):
    with pytest.raises(ServerUnavailable, match="factor is wrong"):
        transport.infer(REQUEST, 5)


@pytest.mark.parametrize("transport", [{"status": 400, "reason": "Exceeds maximum queue size"}], indirect=True)
def test_a_full_queue_is_no_fault_of_the_server(transport):
    with pytest.raises(ServerOverloaded):
        transport.infer(REQUEST, 5)


@pytest.mark.parametrize("transport", [{"seconds": 0.5}], indirect=True)
def test_too_late(transport):
    with pytest.raises(DeadlineExceeded, match=r"no answer within the timeout of 0\.1 s"):
        transport.infer(REQUEST, 0.1)


def test_nobody_there():
    nobody = HttpTransport("http://127.0.0.1:1")
    assert not nobody.is_ready("mtcnn", 1)
    with pytest.raises(ServerUnavailable):
        nobody.infer(REQUEST, 1)
