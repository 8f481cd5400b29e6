"""Servers behind a name that a real name server answers: they are killed, added and replaced, and nobody notices."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from face_bench.metrics import scrape
from face_server.ports import free_ports
from tests.e2e.conftest import ROOT, own_repository, with_one_instance
from tests.e2e.served import Served
from tests.name_server import asking_it, can_be_asked, name_server

pytestmark = pytest.mark.skipif(not can_be_asked(), reason="needs root, for port 53 and a namespace")

NAME = "faces.example"

# Of the mean: how far the busiest server may be from the idlest.
EVEN = 0.15


class Replicas:
    """Servers on addresses of this machine, all on the same ports. served: by address."""

    def __init__(self, repository):
        self._repository = repository
        self._ports = free_ports(("127.0.0.1",) * 3, (0, 0, 0))
        self.served = {}

    def start(self, *addresses):
        with ThreadPoolExecutor(len(addresses)) as pool:
            self.served.update(zip(addresses, pool.map(self._serve, addresses), strict=True))

    def _serve(self, address):
        flags = ("--http-port", "--grpc-port", "--metrics-port")
        ports = [str(word) for pair in zip(flags, self._ports, strict=True) for word in pair]
        return Served("--host", address, *ports, "--threads", "1", "--repository", self._repository)

    @property
    def url(self):
        return f"dns:///{NAME}:{self._ports[1]}"

    def answers(self, address):
        """How many requests it has answered."""
        return scrape(self.served[address].metrics_url).total("nv_inference_request_success", model="mtcnn")

    def wait_for(self, address, count, seconds=120):
        """So many more answers of one."""
        until, give_up = self.answers(address) + count, time.monotonic() + seconds
        while self.answers(address) < until:
            assert time.monotonic() < give_up, f"{address} is not asked"
            time.sleep(0.1)

    def shares(self, addresses, count):
        """How many of that many answers, or a few more, each of them gives."""
        before = {address: self.answers(address) for address in addresses}
        self.wait_for(addresses[0], count // len(addresses))
        return {address: self.answers(address) - before[address] for address in addresses}


@pytest.fixture
def replicas(tmp_path):
    replicas = Replicas(with_one_instance(own_repository(tmp_path / "models")))
    yield replicas
    for served in replicas.served.values():
        if served.is_running:
            served.kill()


def asks_evenly(replicas, addresses):
    """Over a stretch of 1,500 answers. Other work on the machine slows a server for a while, which is asked less then:
    so one stretch of four is enough."""
    for _ in range(4):
        counts = replicas.shares(addresses, 1500)
        print(f"answers: {counts}")
        if max(counts.values()) - min(counts.values()) <= EVEN * sum(counts.values()) / len(counts):
            return True
    return False


@pytest.mark.slow
def test_replicas_are_killed_added_and_replaced_under_load(replicas, tmp_path):
    first, second, third, added, new = (f"127.0.0.{number}" for number in range(1, 6))
    replicas.start(first, second, third)
    with name_server({NAME: [first, second, third]}) as names:
        command = asking_it(tmp_path, sys.executable, "-m", "tests.e2e.asking", replicas.url, "6")
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'load_tests'}"}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as load:
            assert load.stdout.readline() == "answered\n"
            try:
                assert asks_evenly(replicas, [first, second, third])

                replicas.served[first].kill()
                # As long as Kubernetes may take to see it.
                replicas.wait_for(second, 100)
                names.names[NAME] = [second, third]
                names.fails = True
                replicas.wait_for(second, 100)
                names.fails = False

                replicas.start(added)
                names.names[NAME] = [second, third, added]
                replicas.wait_for(added, 50)

                replicas.start(new)
                names.names[NAME] = [third, added, new]
                replicas.served[second].terminate()
                assert replicas.served[second].wait() == 0
                replicas.wait_for(new, 50)
                assert asks_evenly(replicas, [third, added, new])
            finally:
                report, _ = load.communicate(timeout=120)
    print(report)
    found = json.loads(report)
    assert found["errors"] == []
    assert found["answers"] > 3000
    assert len(found["faces"]) == 1
