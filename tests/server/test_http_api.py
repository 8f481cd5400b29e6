"""Triton's HTTP endpoint, played by a small server."""

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from face_server.http_api import NoAnswer, TooLate, ask, is_up


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/silent":
            time.sleep(0.5)
        answers = {
            "/ready": (200, b""),
            "/config": (200, b'{"name": "mtcnn"}'),
            "/bad": (400, b'{"error": "no such model"}'),
        }
        self._send(*answers.get(self.path, (502, b"<html>a proxy</html>")))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        told = {"body": json.loads(body), "key": self.headers.get("admin-key")}
        self._send(200, json.dumps(told).encode())

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def url():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers(url):
    assert ask(f"{url}/ready") is None
    assert ask(f"{url}/config") == {"name": "mtcnn"}
    assert ask(f"{url}/load", {"a": 1}, "secret") == {"body": {"a": 1}, "key": "secret"}
    assert ask(f"{url}/load", {"a": 1})["key"] is None


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b""])
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
        assert is_up(url) == answer.startswith(b"HTTP")
        thread.join()


def test_reasons(url):
    with pytest.raises(NoAnswer, match=r"^no such model$"):
        ask(f"{url}/bad")
    with pytest.raises(NoAnswer, match=r"HTTP Error 502.*a proxy"):
        ask(f"{url}/other")
    with pytest.raises(NoAnswer, match="refused"):
        ask("http://127.0.0.1:1/")
    with pytest.raises(TooLate, match=r"^no answer within 0\.1 s$"):
        ask(f"{url}/silent", timeout=0.1)


def test_is_up(url):
    assert is_up(f"{url}/ready")
    assert not is_up(f"{url}/bad")
    assert not is_up("http://127.0.0.1:1/")


def test_a_proxy_for_the_world_has_no_part_in_it(url, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert is_up(f"{url}/ready")
