"""The health check in NVIDIA's container, which lacks what the embedded server and the command line need."""

import itertools
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from face_repository.layout import IDENTIFICATION, REQUIRED
from face_runtime.settings import GALLERY_VARIABLE
from face_server import healthcheck

_BLOCKED = """
import runpy, sys
for name in ("psutil", "pytriton", "torch", "face_admin", "face_command", "face_export", "face_tools", "rich"):
    sys.modules[name] = None
sys.argv[1:] = ["http://127.0.0.1:1"]
runpy.run_module("face_server.healthcheck", run_name="__main__")
"""


def test_it_needs_neither_the_embedded_server_nor_the_command_line():
    done = subprocess.run([sys.executable, "-c", _BLOCKED], capture_output=True, text=True, check=False)
    # It has come as far as asking.
    assert (done.returncode, done.stderr) == (1, "model pnet is not ready at http://127.0.0.1:1\n")


@pytest.fixture
def server():
    """A Triton that refuses every picture for a full queue. `answered`: what its statistics say, look by look."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith("/stats"):
                stats = {"inference_stats": {"success": {"count": next(self.server.answered)}}}
                self._send(200, {"model_stats": [stats]})
            else:
                self._send(200, {})

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(503, {"error": self.server.refusal})

        def _send(self, status, body):
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    fake = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.refusal = "Exceeds maximum queue size"
    threading.Thread(target=fake.serve_forever, daemon=True).start()
    yield fake
    fake.shutdown()
    fake.server_close()


def problem(server):
    return healthcheck.problem(f"http://127.0.0.1:{server.server_address[1]}", ["mtcnn"])


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(healthcheck, "CANARY_SECONDS", 0.3)
    monkeypatch.setattr(healthcheck, "_LOOK_SECONDS", 0.05)


def test_a_full_queue_that_moves_is_no_illness(server):
    server.answered = iter([100, 100, 100, 101])
    assert problem(server) == ""


def test_a_full_queue_that_stands_still_is_one(server):
    server.answered = itertools.repeat(100)
    assert problem(server).startswith("no answer to a small picture: Exceeds maximum queue size")


def test_other_errors_are_not_excused_by_answers_to_others(server):
    server.answered = itertools.count()
    server.refusal = "Stub process 'mtcnn_0_0' is not healthy."
    assert problem(server).startswith("no answer to a small picture: Stub process")


@pytest.mark.parametrize(("gallery", "more"), [("", ()), ("postgresql://db/faces", IDENTIFICATION)])
def test_with_a_gallery_its_models_are_asked_too(monkeypatch, gallery, more):
    asked = []
    monkeypatch.setattr(healthcheck, "problem", lambda _url, models: asked.extend(models) or "")
    monkeypatch.setenv(GALLERY_VARIABLE, gallery)
    for given, known in (("", REQUIRED), ("mtcnn facenet", ("mtcnn", "facenet"))):
        monkeypatch.setenv(healthcheck.MODELS_VARIABLE, given)
        asked.clear()
        assert healthcheck.main([]) == 0
        assert asked == [*known, *more]
