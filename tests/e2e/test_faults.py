"""What breaks in production, broken here on real servers, and what callers see of it.

Prints how long callers waited (pytest -rP); only that they were answered is asserted.
"""

import hashlib
import io
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_bench.metrics import scrape
from face_client import FaceClient
from face_server.ports import free_ports
from tests.e2e.conftest import REPOSITORY
from tests.e2e.served import FACES, Served
from tests.e2e.under_load import under_load
from tests.pictures import wall

# Patience of a client that sits out a restart. On two quiet cores one takes about ten seconds.
PATIENT = {"retries": 200, "timeout": 300}


@pytest.fixture(scope="module")
def servers():
    """The servers that this file has started, the latest last; one that a test has left running serves the next."""
    started = []
    yield started
    for server in started:
        if server.is_running:
            server.kill()


@pytest.fixture
def server(servers):
    if not servers or not servers[-1].is_running:
        servers.append(Served("--any-ports"))
    return servers[-1]


@pytest.fixture(scope="module")
def picture():
    """RGB [300, 400, 3] with a face or two."""
    return np.ascontiguousarray(wall()[:300, :400])


@pytest.fixture(scope="module")
def photo():
    """A JPEG of 1920x1080."""
    stream = io.BytesIO()
    Image.fromarray(wall()).save(stream, "JPEG")
    return stream.getvalue()


@contextmanager
def observed(client, picture, what, callers=4):
    """The load; says how long nobody was answered, and checks that everybody was, with the same faces."""
    expected = len(client.detect(picture))
    with under_load(client, picture, callers) as load:
        load.wait_for(20)
        yield load
        load.wait_for(20)
    print(f"\n{what}: {len(load.answers)} answers, {len(load.errors)} errors, {load.longest_gap:.1f} s without answers")
    assert load.errors == []
    assert set(load.answers) == {expected}


def test_one_process_of_a_model_is_killed_under_load(server, picture):
    before = server.health()[1]
    server.lines.clear()
    with FaceClient(server.url, **PATIENT) as client, observed(client, picture, "one of mtcnn's processes killed"):
        server.stubs("mtcnn")[0].kill()
        # Some deaths Triton 2.51 cannot get over; then it is started again.
        server.wait_for("model mtcnn is complete again|Triton answers again", 300)
    report = server.wait_for_health(200)
    assert any(report[count] == before[count] + 1 for count in ("instances_renewed", "server_restarts"))
    assert len(server.stubs("mtcnn")) == 2


def test_all_processes_of_a_model_are_killed_and_readiness_says_so(server, picture):
    server.lines.clear()
    assert server.health()[0] == 200
    with FaceClient(server.url, **PATIENT) as client, observed(client, picture, "all of mtcnn's processes killed"):
        for stub in server.stubs("mtcnn"):
            stub.kill()
        report = server.wait_for_health(503)
        assert not report["ready"]
        assert report["state"] != "ready"
        server.wait_for_health(200, 300)
    # Answers are there sooner than the last of the new processes.
    server.wait_for("model mtcnn is complete again|model mtcnn answers again|Triton answers again", 300)
    assert len(server.stubs("mtcnn")) == 2


def test_the_server_process_is_killed_under_load(server, picture):
    server.lines.clear()
    killed = server.triton
    stubs = killed.children()
    with FaceClient(server.url, **PATIENT) as client, observed(client, picture, "tritonserver killed"):
        killed.kill()
        restarts = server.wait_for_health(503)["server_restarts"]
        server.wait_for("Triton answers again after")
    assert server.wait_for_health(200)["server_restarts"] == restarts + 1
    assert server.line("(Triton ended by itself with status -9)")
    assert not [process for process in (killed, *stubs) if process.is_running()]


ASK_AND_DIE = """
import sys
from face_client import FaceClient
client = FaceClient(sys.argv[1], timeout=600)
client.detect(sys.argv[2], max_faces=1, min_face_size=200)
print("asking", flush=True)
client.detect(sys.argv[2])
"""


def test_a_client_that_dies_takes_no_more_time_of_the_server(server, large_picture, picture, tmp_path):
    """Its request ends between two stages: PNet has run, ONet has not."""
    photo = tmp_path / "large.jpg"
    photo.write_bytes(large_picture)
    with FaceClient(server.url, timeout=300) as client:
        # So large a picture is slower for the first time, in each instance.
        for _ in range(6):
            client.detect(photo)
        before = scrape(server.metrics_url)
        started = time.monotonic()
        client.detect(photo)
        seconds = time.monotonic() - started
        whole = scrape(server.metrics_url).since(before).by("mtcnn_rows_total", "network")
        # A machine that is busier now than then answers later or sooner, so that it takes more than one.
        assert any(
            stopped_between_stages(server, photo, part * seconds, whole) for part in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
        )
        assert len(client.detect(picture)) > 0
    assert server.health()[0] == 200


def stopped_between_stages(server, photo, seconds, whole):
    with subprocess.Popen([sys.executable, "-c", ASK_AND_DIE, server.url, photo], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"asking\n"
        before = scrape(server.metrics_url)
        time.sleep(seconds)
        process.kill()
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        grown = scrape(server.metrics_url).since(before)
        if grown.total("mtcnn_refused_requests_total", reason="cancelled"):
            rows = grown.by("mtcnn_rows_total", "network")
            # Canaries send a few rows as well.
            return rows["pnet"] > whole["pnet"] / 2 and rows["onet"] < whole["onet"] / 2
        if grown.by("mtcnn_rows_total", "network")["onet"] >= whole["onet"] / 2:
            return False
        time.sleep(0.05)
    raise AssertionError("the request neither ended nor was cancelled")


def test_an_upgrade_and_a_crash_of_one_of_two_servers_under_load(server, servers, picture):
    """One is stopped and started again in an orderly way; when it is back, the other one's machine fails."""
    other = Served("--any-ports")
    ports = [word for name in ("grpc", "http", "metrics") for word in (f"--{name}-port", port(other, name))]
    with (
        FaceClient(f"{server.url},{other.url}") as client,
        observed(client, picture, "one of two servers upgraded, the other killed") as load,
    ):
        other.terminate()
        assert other.wait() == 0
        load.wait_for(20)
        servers.append(Served(*ports))
        while not scrape(servers[-1].metrics_url).total("nv_inference_request_success", model="mtcnn") > 20:
            load.wait_for(20)
        server.kill()
        load.wait_for(50)


def port(server, name):
    title = {"grpc": "gRPC", "http": "HTTP", "metrics": "metrics"}[name]
    return server.line(rf"^{title} .*:(\d+)(?:/metrics)?$")


def test_what_is_in_flight_at_the_end_is_answered(server, photo):
    """What comes later is told so; with more than one server it is asked again elsewhere."""
    with FaceClient(server.url, retries=0, timeout=300) as client, ThreadPoolExecutor(40) as pool:
        expected = len(client.detect(photo))
        asked = [pool.submit(client.detect, photo) for _ in range(40)]
        # The first has gone through the cascade: most of the others are in a batch or wait for one.
        while not any(answer.done() for answer in asked):
            time.sleep(0.001)
        server.terminate()
        unanswered = [answer for answer in asked if not answer.done()]
        errors = [str(answer.exception()) for answer in asked if answer.exception()]
    assert server.wait() == 0
    assert all("has stopped accepting new inference requests" in error for error in errors), errors
    assert {len(answer.result()) for answer in asked if not answer.exception()} == {expected}
    answered = sum(not answer.exception() for answer in unanswered)
    assert answered
    print(f"\nstopped: {answered} in flight were answered, {len(errors)} came too late")


@pytest.fixture
def folder(tmp_path):
    """40 pictures of several sizes, each with a face or more."""
    folder = tmp_path / "photos"
    folder.mkdir()
    whole = wall()
    for number in range(40):
        Image.fromarray(whole[:, 13 * number :]).save(folder / f"{number:02}.jpg")
    return folder


@contextmanager
def detecting(server, folder, *arguments, **options):
    """`faces detect --json` as a process of its own, of which a few pictures at a time are in flight."""
    command = [FACES, "detect", folder, "--json", "--in-flight", "4", "--timeout", "300", *arguments, "--url", server]
    with subprocess.Popen(command, text=True, **{"stdout": subprocess.PIPE, **options}) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_command_waits_for_a_server_that_comes_late(servers, folder):
    grpc, http, metrics = map(str, free_ports(("127.0.0.1",) * 3, (0, 0, 0)))
    with detecting(f"127.0.0.1:{grpc}", folder, "--wait", "600") as command:
        servers.append(Served("--grpc-port", grpc, "--http-port", http, "--metrics-port", metrics))
        assert len(command.stdout.readlines()) == 40
    assert command.returncode == 0


def test_a_batch_of_the_command_line_sits_out_a_restart_of_its_only_server(server, folder):
    with detecting(server.url, folder, "--retries", "200") as command:
        lines = [command.stdout.readline() for _ in range(5)]
        server.lines.clear()
        server.triton.kill()
        server.wait_for("Triton answers again after", 300)
        lines += command.stdout
    assert command.returncode == 0
    assert lines == faces("detect", folder, "--json", "--url", server.url)[1].splitlines(keepends=True)
    assert [json.loads(line)["image"] for line in lines] == [str(folder / f"{number:02}.jpg") for number in range(40)]


def test_a_run_that_was_killed_goes_on_where_it_ended(server, folder, tmp_path):
    status, uninterrupted = faces("detect", folder, "--json", "--url", server.url)
    assert status == 0
    file = tmp_path / "faces.jsonl"
    with file.open("a") as output, detecting(server.url, folder, stdout=output) as command:
        while file.read_bytes().count(b"\n") < 5:
            assert command.poll() is None
            time.sleep(0.001)
        command.kill()
    answered = file.read_bytes().count(b"\n")
    assert answered < 40
    # As a kill or a full disk in the middle of a line leaves it; and who asked about these again would be refused.
    with file.open("a") as output:
        output.write('{"image": "')
    for number in range(answered):
        (folder / f"{number:02}.jpg").write_bytes(b"no picture any more")
    with file.open("a") as output, detecting(server.url, folder, "--resume", file, stdout=output) as command:
        assert command.wait(300) == 0
    assert file.read_text() == uninterrupted


@pytest.fixture
def copied(tmp_path):
    """A model repository of one's own to break."""
    return Path(shutil.copytree(REPOSITORY, tmp_path / "models"))


def faces(*arguments, **options):
    """(exit status, output of both kinds)."""
    done = subprocess.run(
        [FACES, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **options
    )
    return done.returncode, done.stdout


def test_a_corrupt_model_at_the_start(copied):
    model = copied / "onet" / "1" / "model.pt"
    model.write_bytes(model.read_bytes()[:100_000])
    status, output = faces("serve", "--any-ports", "--quiet", "--repository", copied)
    assert status == 1
    assert re.search(r"ready: model '\w+' cannot be loaded: \S+/onet/1/model\.pt is no TorchScript archive\n$", output)
    assert len(output.splitlines()) == 1


def test_a_model_that_is_missing_at_the_start(copied):
    (copied / "onet" / "1" / "model.pt").unlink()
    status, output = faces("serve", "--any-ports", "--quiet", "--repository", copied)
    assert status == 1
    assert re.fullmatch(r"faces serve: the model repository .* has no onet: run `faces export` first\n", output)


def test_a_disk_that_is_full_during_an_export(copied):
    """A limit of the system on what this process may write, so that no disk must be filled."""
    before = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    status, output = faces("export", "--facenet", "none", "--repository", copied, preexec_fn=limit)
    assert status == 1
    assert re.search(r"^faces export: cannot write .*rnet/1/model\.pt: File too large$", output, re.MULTILINE)
    assert "Traceback" not in output
    after = {path: path.read_bytes() for path in copied.rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    # PNet comes first and is small enough; what RNet and ONet had stays.
    assert {path.parts[-3] for path in after if after[path] != before[path]} <= {"pnet"}
    pnet = copied / "pnet" / "1"
    written = json.loads(after[pnet / "export.json"])["model_sha256"]
    assert written == hashlib.sha256(after[pnet / "model.pt"]).hexdigest()
