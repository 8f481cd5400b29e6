"""One Triton that tells what it is asked, and gateways before it."""

import json
import time

import pytest

from face_cascade import FACENET
from face_client import FaceClient
from face_repository.layout import REQUIRED
from face_server import EmbeddedTriton, Settings
from tests.e2e.collector import collecting
from tests.e2e.gateway.paged import Paged


@pytest.fixture(scope="session")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def traced(repository, collector):
    """As a CPU has it by default, with traces and a log for machines; FaceNet has random weights."""
    settings = Settings(networks="local", models=(*REQUIRED, FACENET.name), trace=collector.url, log_format="json")
    with EmbeddedTriton(repository, settings) as server:
        yield server


@pytest.fixture(scope="session")
def client(traced):
    """What the gateway's answers are compared with."""
    with FaceClient(traced.grpc_url, timeout=120) as client:
        yield client


@pytest.fixture(scope="session")
def paged(traced, tmp_path_factory):
    """A gateway with a gallery, for whoever changes nothing of it but its people."""
    where = tmp_path_factory.mktemp("gallery") / "people.gallery"
    with Paged(traced.grpc_url, "--gallery", where, "--random-weights") as paged:
        yield paged


@pytest.fixture(scope="session")
def logged(traced):
    """logged(prefix): the ids beginning so in the lines of Triton's models, once there are some."""

    def ids(prefix, seconds=10):
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            lines = [json.loads(line) for line in traced.log_lines if line.startswith("{")]
            every = [each for line in lines for each in (line.get("id"), *line.get("ids", ())) if each]
            if found := [each for each in every if each.startswith(prefix)]:
                return found
            time.sleep(0.05)
        raise AssertionError(f"no line names {prefix}")

    return ids
