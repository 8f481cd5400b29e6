"""Each verb of the load tests, for some seconds, on a real server."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager, nullcontext

import grpc
import pytest

from face_bench.wire import MODEL, RECOGNITION, WireClient
from face_load import load, saturation
from face_load.command import main
from face_load.plan import bad_requests
from tests.e2e.conftest import ROOT

# Small: a machine that is busy with other tests answers some of them in a few seconds.
SMALL = ("--sizes", "320x180,160x90")


@contextmanager
def web_page(url):
    """The address of locust's page for a server, answering."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (sys.executable, "-m", "locust", "-f", str(ROOT / "load_tests" / "locustfile.py"), "--host", url)
    options = ("--web-host", "127.0.0.1", "--web-port", str(port), "--sizes", "160x90", "Detection")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "load_tests")}
    with subprocess.Popen((*command, *options), env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            page = f"http://127.0.0.1:{port}"
            assert in_time(lambda: "<html" in fetch(page))
            yield page
        finally:
            process.terminate()


def fetch(url, **fields):
    """The text of a page; with fields, what it answers to them. Empty where nobody listens yet."""
    data = urllib.parse.urlencode(fields).encode() if fields else None
    try:
        with urllib.request.urlopen(url, data, timeout=30) as response:
            return response.read().decode()
    except urllib.error.URLError:
        return ""


def in_time(is_so):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def on_session_server(monkeypatch, triton):
    """The verbs take the server of all tests instead of one of their own."""
    for verb in (load, saturation):
        monkeypatch.setattr(verb, "embedded", lambda _args: nullcontext(triton))


@pytest.mark.parametrize("model", [MODEL, RECOGNITION])
def test_every_bad_request_is_refused_for_what_is_wrong_with_it(triton, model):
    client = WireClient(triton.grpc_url)
    for request in bad_requests(model):
        with pytest.raises(grpc.RpcError) as refused:
            client.faces(request)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, (request.name, refused.value.details())
    client.close()


@pytest.mark.usefixtures("on_session_server")
def test_a_load_is_summed_up(tmp_path):
    options = ("--users", "3", "--seconds", "3", "--warm-up", "1", "--bad-share", "0.2")
    assert main(["load", *options, *SMALL, "--out", str(tmp_path)]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["summary"]["goodput"] > 0
    assert summary["summary"]["errors"] == {}
    assert summary["use"]["batch"]["mtcnn"] >= 1
    assert "good answers a second" in (tmp_path / "summary.md").read_text()
    assert "<html" in (tmp_path / "report.html").read_text()
    with (tmp_path / "load_requests.csv").open() as file:
        names = {row["name"] for row in csv.DictReader(file)}
    assert len([name for name in names if "bad: " not in name]) > 2
    # Locust counted the same requests; it writes them down once a second, so that the last ones may be missing.
    with (tmp_path / "locust_stats.csv").open() as file:
        counted = {row["Name"] for row in csv.DictReader(file)}
    assert {"Aggregated"} < counted <= {*names, "Aggregated"}


@pytest.mark.usefixtures("on_session_server")
def test_an_open_loop_keeps_its_rate_and_stages_end_it(tmp_path):
    options = ("--stages", "2@2,2-6@2", "--rate", "2", "--arrivals", "constant", "--deadline", "30", "Detection")
    assert main(["load", *options, *SMALL, "--out", str(tmp_path)]) == 0
    with (tmp_path / "load_requests.csv").open() as file:
        due = sorted(float(row["due_s"]) for row in csv.DictReader(file))
    # 2 users for 2 s, then 4 on average for 2 s, with 2 requests a second each; users that start are late by a beat.
    assert 12 <= len(due) <= 28
    assert due[-1] < 6


@pytest.mark.usefixtures("on_session_server")
def test_a_saturation_ends_with_an_overload(monkeypatch, tmp_path):
    """One rate instead of a search, which has its own test."""

    def one_step(passes, start):
        passes(start)
        return start

    monkeypatch.setattr(saturation, "highest", one_step)
    options = ("--start", "4", "--seconds", "3", "--warm-up", "0", "Detection")
    status = main(["saturate", *options, *SMALL, "--out", str(tmp_path)])
    report = json.loads((tmp_path / "saturation.json").read_text())
    assert [step["rate"] for step in report["steps"]] == [4, 12]
    assert all(step["summary"]["goodput"] > 0 for step in report["steps"])
    # Nothing is rejected by a queue without a bound: what was not seen does not hold.
    assert report["overload"]["summary"]["rejected"]["p99"] is None
    assert status == 1
    assert (tmp_path / "saturation.png").read_bytes().startswith(b"\x89PNG")
    assert "12.0 requests a second" in (tmp_path / "saturation.md").read_text()


def test_a_soak_watches_a_supervised_server(tmp_path):
    options = ("--minutes", "0.1", "--interval", "0.5", "--users", "2", "--bad-share", "0.3", "--networks", "bls")
    # Not its status: memory grows at first.
    main(["soak", *options, *SMALL, "--out", str(tmp_path)])
    report = json.loads((tmp_path / "soak.json").read_text())
    assert report["summary"]["errors"] == {}
    assert report["summary"]["goodput"] > 0
    assert report["summary"]["refused"] > 0
    assert report["supervised"] == {"canaries_failed": 0, "renewals": 0, "restarts": 0}
    names = {process["name"] for process in report["samples"][-1]["state"]["processes"]}
    assert names >= {"tritonserver", "mtcnn_0_0", "mtcnn_1_0"}
    assert all(sample["state"]["shared_memory"] > 0 for sample in report["samples"])
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


def test_the_web_page_starts_a_load_with_what_is_chosen_there(triton):
    with web_page(triton.grpc_url) as page:

        def counted():
            stats = json.loads(fetch(f"{page}/stats/requests"))["stats"]
            return {entry["name"]: (entry["num_requests"], entry["num_failures"]) for entry in stats}

        fetch(f"{page}/swarm", user_count=2, spawn_rate=2, host=triton.grpc_url, formats="raw", rate=3)
        assert in_time(lambda: counted().get("mtcnn raw 160x90", (0, 0))[0] >= 3)
        found = counted()
    assert found.keys() == {"mtcnn raw 160x90", "Aggregated"}
    assert found["Aggregated"][1] == 0
