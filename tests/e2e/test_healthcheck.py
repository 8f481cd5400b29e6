"""The containers' health check, as they run it, against real servers."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from face_repository.layout import REQUIRED
from face_server import EmbeddedTriton, Settings
from face_server.healthcheck import MODELS_VARIABLE
from face_server.ports import free_ports


def check(url, models=REQUIRED):
    return subprocess.run(
        [sys.executable, "-m", "face_server.healthcheck", url],
        env={**os.environ, MODELS_VARIABLE: " ".join(models)},
        capture_output=True,
        text=True,
    )


def test_a_server_that_answers(triton):
    done = check(triton.http_url)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_model_that_is_not_there(triton):
    done = check(triton.http_url, (*REQUIRED, "nowhere"))
    assert done.returncode == 1
    assert done.stderr == f"model nowhere is not ready at {triton.http_url}\n"


def test_no_server():
    (port,) = free_ports(("127.0.0.1",), (0,))
    done = check(f"http://127.0.0.1:{port}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.fixture
def dying(repository):
    """A server of its own, whose cascade's processes may be killed."""
    with EmbeddedTriton(repository, Settings(networks="local")) as server:
        yield server


def test_a_model_whose_process_is_dead_is_found_although_it_says_ready(dying):
    assert check(dying.http_url).returncode == 0
    stubs = [p for p in psutil.Process(dying.pid).children(recursive=True) if "/mtcnn/" in " ".join(p.cmdline())]
    assert stubs
    for stub in stubs:
        os.kill(stub.pid, signal.SIGKILL)
    done = check(dying.http_url)
    assert done.returncode == 1
    assert done.stderr.startswith("no answer to a small picture: ")
