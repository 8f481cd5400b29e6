"""`faces serve` as a user runs it, and its refusals to start."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
from tritonclient.utils import InferenceServerException

from face_repository.configurations import EMBEDDED, derive, read
from face_server import EmbeddedTriton, Settings, SetupError, StartError
from tests.e2e.conftest import REPOSITORY
from tests.pictures import DATA

FACES = Path(sys.executable).with_name("faces")


def serve(*arguments, **options):
    command = [FACES, "serve", "--repository", REPOSITORY, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def until_ready(server):
    """What it has said until then."""
    log = []
    for line in server.stdout:
        log.append(line)
        if line.strip() == "ready":
            return "".join(log)
    raise AssertionError("".join(log))


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_told_to_stop(stop):
    with serve("--any-ports") as server:
        url = re.search(r"^gRPC +(127\.0\.0\.1:\d+)$", until_ready(server), re.MULTILINE).group(1)
        family = psutil.Process(server.pid).children(recursive=True)
        assert len(family) >= 5, "tritonserver and a stub for each model"
        found = subprocess.run([FACES, "detect", DATA / "astronaut.png", "--url", url, "--json"], capture_output=True)
        assert found.returncode == 0
        assert b'"left_eye"' in found.stdout
        server.send_signal(stop)
        rest = server.stdout.read()
    assert server.returncode == 0, rest
    assert "failed" not in rest
    assert not [process for process in family if process.is_running()]


def test_runs_a_command_and_stops():
    with serve("--any-ports", "--quiet", "--", "sh", "-c", "faces detect $0; exit 7", DATA / "astronaut.png") as server:
        output = server.communicate()[0]
    assert server.returncode == 7
    assert re.search(r"astronaut\.png\s+1\s+181\.1 62\.2 267\.7 172\.1\s+1\.0000", output)


def page_of(server):
    """Its address, once it is ready too."""
    until_ready(server)
    return re.search(r"^page +(http://127\.0\.0\.1:\d+)/$", until_ready(server), re.MULTILINE)[1]


def post(address, path):
    """What the page answers to a photo."""
    request = Request(f"{address}{path}", (DATA / "astronaut.png").read_bytes(), {"Content-Type": "image/png"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_page_beside_the_server_until_told_to_stop(stop):
    with serve("--any-ports", "--quiet", "--page") as server:
        (image,) = post(page_of(server), "/v1/detect")["images"]
        assert len(image["faces"]) == 1
        family = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(stop)
        rest = server.stdout.read()
    assert server.returncode == 0, rest
    assert "Traceback" not in rest
    assert not [process for process in family if process.is_running()]


def test_a_page_beside_the_server_knows_its_people(repository, tmp_path):
    people = ("--gallery", tmp_path / "people.gallery", "--random-weights")
    with serve("--repository", repository, "--any-ports", "--quiet", "--page", *people) as server:
        address = page_of(server)
        assert post(address, "/v1/gallery/people?person=Ada&force=true")["faces"] == 1
        (image,) = post(address, "/v1/identify")["images"]
        server.send_signal(signal.SIGTERM)
        server.stdout.read()
    assert [face["person"] for face in image["faces"]] == ["Ada"]
    assert server.returncode == 0


def test_a_page_that_cannot_start_ends_the_server():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve("--any-ports", "--quiet", "--page", "--page-port", str(port)) as server:
            output = server.communicate()[0]
    assert server.returncode == 1
    assert f"faces page: cannot listen on 127.0.0.1:{port}: Address already in use" in output


def test_a_command_that_is_cut_short_has_not_succeeded():
    with serve("--any-ports", "--", "sleep", "60") as server:
        until_ready(server)
        server.send_signal(signal.SIGTERM)
        server.stdout.read()
    assert server.returncode == 128 + signal.SIGTERM


def test_a_command_that_a_signal_ended():
    with serve("--any-ports", "--quiet", "--", "sh", "-c", "kill -9 $$") as server:
        server.communicate()
    assert server.returncode == 128 + signal.SIGKILL


def test_a_host_by_name():
    with serve("--any-ports", "--quiet", "--host", "localhost", "--", "true") as server:
        output = server.communicate()[0]
    assert server.returncode == 0
    assert re.search(r"^gRPC +127\.0\.0\.1:\d+$", output, re.MULTILINE)


def test_arguments_that_cannot_be():
    for arguments in (("--grpc-port", "99999"), ("--threads", "0"), ("--http-port", "x")):
        with serve(*arguments) as server:
            assert "is not a whole number from" in server.communicate()[0]
        assert server.returncode == 2


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve("--grpc-port", str(port)) as server:
            output = server.communicate()[0]
    assert server.returncode == 1
    assert output == f"faces serve: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.fixture
def copied(tmp_path):
    """A model repository of one's own to break."""
    return Path(shutil.copytree(REPOSITORY, tmp_path / "models"))


def test_a_model_that_was_not_exported(copied):
    (copied / "rnet" / "1" / "model.pt").unlink()
    with pytest.raises(SetupError, match=r"has no rnet: run `faces export` first$"):
        EmbeddedTriton(copied).start()


def test_a_corrupt_model_file_is_told_with_tritons_reason(copied):
    (copied / "onet" / "1" / "model.pt").write_bytes(b"corrupt")
    with pytest.raises(
        StartError, match=r"model 'onet' cannot be loaded: /\S+/onet/1/model\.pt is no TorchScript archive$"
    ):
        EmbeddedTriton(copied).start()


def test_a_server_that_is_not_ready_in_time():
    server = EmbeddedTriton(REPOSITORY, Settings(start_timeout=0.2))
    with pytest.raises(StartError, match=r"was not ready after 0\.2 s"):
        server.start()


def instances(model):
    """So many processes a model has on a CPU; an ensemble has none."""
    config = derive(read(REPOSITORY / model / "config.pbtxt"), EMBEDDED)
    return sum(group.count for group in config.instance_group)


def test_a_killed_server_leaves_nothing_behind():
    server = EmbeddedTriton(REPOSITORY)
    server.start()
    stubs = psutil.Process(server.pid).children()
    regions = [Path("/dev/shm", word) for s in stubs for word in s.cmdline() if word.startswith("triton-faces-")]
    assert len(regions) == len(stubs) == sum(map(instances, server.models))
    assert all(region.exists() for region in regions)
    os.kill(server.pid, signal.SIGKILL)
    assert server.wait() == -signal.SIGKILL
    server.stop()
    assert not any(region.exists() for region in regions)
    _, alive = psutil.wait_procs(stubs, timeout=5)
    assert not [stub for stub in alive if stub.status() != psutil.STATUS_ZOMBIE]


def test_repository_and_memory_sharing_are_shut(grpc_client):
    for call in (
        lambda: grpc_client.unload_model("onet"),
        lambda: grpc_client.register_system_shared_memory("mine", "/mine", 10),
        lambda: grpc_client.update_log_settings({"log_verbose_level": 5}),
    ):
        with pytest.raises(InferenceServerException, match="This protocol is restricted"):
            call()


def test_the_stub_environment_is_this_one(triton):
    children = psutil.Process(triton.pid).children()
    environment = children[0].environ()
    assert environment["MALLOC_ARENA_MAX"] == "1"
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
