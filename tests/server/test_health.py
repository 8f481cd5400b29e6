"""What a load balancer is told."""

import json
import socket
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from face_bench.metrics import parse
from face_server import SetupError
from face_server.supervision.health import Health, HealthServer


def get(url, method="GET"):
    """(status, text)"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def served():
    """(health, url)"""
    health = Health(good_for=600)
    with closing(HealthServer(health, "127.0.0.1", 0)) as server:
        yield health, server.url


def test_ready_is_who_has_answered_lately(served):
    health, url = served
    assert get(f"{url}/health/ready")[0] == 503
    health.passed(0.02)
    status, text = get(f"{url}/health/ready")
    assert (status, json.loads(text)["state"]) == (200, "ready")
    health.failed("failed: no answer")
    status, text = get(f"{url}/health/ready")
    assert (status, json.loads(text)["state"]) == (503, "failed: no answer")


def test_an_answer_goes_stale():
    health = Health(good_for=-1)
    health.passed(0.02)
    assert not health.is_ready()


def test_live_whatever_the_state(served):
    health, url = served
    health.failed("restarting")
    assert get(f"{url}/health/live")[0] == 200


def test_metrics(served):
    health, url = served
    health.passed(0.25)
    health.restarts, health.renewals, health.canaries_failed = 1, 2, 3
    samples = {name: value for (name, _), value in parse(get(f"{url}/metrics")[1]).samples.items()}
    assert samples.pop("faces_start_time_seconds") > 1e9
    assert samples == {
        "faces_ready": 1,
        "faces_canary_seconds": 0.25,
        "faces_canaries_failed_total": 3,
        "faces_instances_renewed_total": 2,
        "faces_server_restarts_total": 1,
    }


def test_nothing_else_is_there(served):
    assert get(f"{served[1]}/")[0] == 404
    assert get(f"{served[1]}/health/ready", "POST")[0] == 501
    # Without a body, as HEAD has it; a query is no other path.
    assert get(f"{served[1]}/health/ready?x=1", "HEAD") == (503, "")


def test_a_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            HealthServer(Health(good_for=1), "127.0.0.1", port)
