"""Triton's HTTP endpoint, played by a small server: its answers, a small picture there and back, each way to fail."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from face_client import DeadlineExceeded, InvalidInput, ModelNotLoaded, ServerError, ServerUnavailable
from face_client.errors import ServerOverloaded
from face_client.messages import Request
from face_server.http_api import HttpTransport, NoAnswer, TooLate, ask, is_up

REQUEST = Request(
    "mtcnn", {"image": np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)}, ("boxes",), {"factor": 0.5}, "1"
)
BOXES = {"name": "boxes", "datatype": "FP32", "shape": [1, 1, 4], "data": [1, 2, 3, 4.5]}

ANSWERS = {
    "/ready": (200, b""),
    "/config": (200, b'{"name": "mtcnn"}'),
    "/bad": (400, b'{"error": "no such model"}'),
    "/v2/models/mtcnn/ready": (200, b""),
}
PROXY = (502, b"<html>a proxy</html>")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silent":
            time.sleep(0.5)
        self._send(*ANSWERS.get(self.path, PROXY))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/load":
            self._send(200, json.dumps({"body": body, "key": self.headers.get("admin-key")}).encode())
            return
        self.server.body = body
        status, seconds, reason = self.server.behaviour
        time.sleep(seconds)
        self._send(status, json.dumps({"outputs": [BOXES]} if status == 200 else {"error": reason}).encode())

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    """behaviour: status, seconds and reason of its answers to pictures; body: of the last picture."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def url(server):
    return f"http://127.0.0.1:{server.server_port}"


def test_answers(url):
    assert ask(f"{url}/ready") is None
    assert ask(f"{url}/config") == {"name": "mtcnn"}
    assert ask(f"{url}/load", {"a": 1}, "secret") == {"body": {"a": 1}, "key": "secret"}
    assert ask(f"{url}/load", {"a": 1})["key"] is None


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<p>\n",
        b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nhalf",
        b"",
    ],
)
def test_somebody_else_or_the_half_of_an_answer(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(NoAnswer):
            ask(url)
        # Whether it is up needs the status alone.
        assert is_up(url) == answer.startswith(b"HTTP/1.1 200")
        thread.join()


def test_reasons(url):
    with pytest.raises(NoAnswer, match=r"^no such model$") as refused:
        ask(f"{url}/bad")
    assert refused.value.status == 400
    with pytest.raises(NoAnswer, match=r"HTTP Error 502.*a proxy"):
        ask(f"{url}/other")
    with pytest.raises(NoAnswer, match="refused") as unheard:
        ask("http://127.0.0.1:1/")
    assert unheard.value.status is None
    with pytest.raises(TooLate, match=r"^no answer within 0\.1 s$"):
        ask(f"{url}/silent", timeout=0.1)


def test_is_up(url):
    assert is_up(f"{url}/ready")
    assert not is_up(f"{url}/bad")
    assert not is_up("http://127.0.0.1:1/")


def test_a_proxy_for_the_world_has_no_part_in_it(url, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert is_up(f"{url}/ready")


def test_a_picture_there_and_back(server, url):
    server.behaviour = (200, 0, "")
    boxes = HttpTransport(url).infer(REQUEST, 5).outputs["boxes"]
    assert boxes.dtype == np.float32
    assert boxes.tolist() == [[[1, 2, 3, 4.5]]]
    (image,) = server.body["inputs"]
    assert (image["datatype"], image["shape"], image["data"]) == ("UINT8", [1, 2, 2, 3], list(range(12)))
    assert server.body["parameters"] == {"factor": 0.5}
    assert server.body["outputs"] == [{"name": "boxes"}]


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "factor is wrong", InvalidInput),
        (400, "Exceeds maximum queue size", ServerOverloaded),
        (404, "Request for unknown model: 'mtcnn' is not found", ModelNotLoaded),
        (500, "out of order", ServerError),
        (500, "Stub process 'mtcnn_0_0' is not healthy.", ServerUnavailable),
        (502, "<html>a proxy</html>", ServerUnavailable),
        (503, "Server is stopping", ServerUnavailable),
        (503, "Exceeds maximum queue size", ServerOverloaded),
        (504, "Request timeout expired", DeadlineExceeded),
    ],
)
def test_what_a_refusal_becomes(server, url, status, reason, kind):
    server.behaviour = (status, 0, reason)
    with pytest.raises(kind, match=reason) as refused:
        HttpTransport(url).infer(REQUEST, 5)
    # One may be a kind of another.
    assert type(refused.value) is kind


def test_too_late(server, url):
    server.behaviour = (200, 0.5, "")
    with pytest.raises(DeadlineExceeded, match=r"no answer within the timeout of 0\.1 s"):
        HttpTransport(url).infer(REQUEST, 0.1)


def test_whether_a_model_is_ready(url):
    assert HttpTransport(url).is_ready("mtcnn", 5)
    assert not HttpTransport(url).is_ready("facenet", 5)


def test_nobody_there():
    nobody = HttpTransport("http://127.0.0.1:1")
    assert not nobody.is_ready("mtcnn", 1)
    with pytest.raises(ServerUnavailable):
        nobody.infer(REQUEST, 1)
