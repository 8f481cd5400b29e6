"""The real Prometheus of the distribution's package, with our configuration, for as long as a `with` block lasts."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import yaml

from face_server.ports import free_ports
from tests.deploy.expressions import PROMETHEUS

T = TypeVar("T")

EXECUTABLE = shutil.which("prometheus")


class Prometheus:
    """Its HTTP API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str):
        """The `data` of an answer."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}") as response:
            return json.load(response)["data"]

    def query(self, expression: str) -> list[float]:
        """The values of an expression now, one a series; those that are no number are left out."""
        values = [float(sample["value"][1]) for sample in self.get("query", query=expression)["result"]]
        return [value for value in values if value == value]

    def rules(self) -> list[dict]:
        """All rules with their state."""
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def wait_for(self, expression: str) -> list[float]:
        """The values of an expression, when it has any."""
        return self.wait_until(bool, lambda: self.query(expression), expression)

    def wait_until(self, enough: Callable[[T], bool], ask: Callable[[], T], what: str = "", seconds: float = 60) -> T:
        """The first answer that is enough. Fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while not enough(answer := ask()):
            assert time.monotonic() < deadline, f"after {seconds:g} s still {answer}: {what}"
            time.sleep(0.5)
        return answer


@contextmanager
def scraping(targets: dict[str, str], folder: Path, interval: str = "1s") -> Iterator[Prometheus]:
    """Prometheus with deploy/prometheus in a folder, its jobs turned to `targets` (host:port) and scraping faster."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = dict.fromkeys(config["global"], interval)
    assert {job["job_name"] for job in config["scrape_configs"]} == set(targets)
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(PROMETHEUS / "alerts.yml", folder)
    (port,) = free_ports(("127.0.0.1",), (0,))
    command = [
        EXECUTABLE,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield _ready(f"http://127.0.0.1:{port}", process, folder / "log")
        finally:
            process.terminate()


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> Prometheus:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=2).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.2)
        else:
            return Prometheus(url)
