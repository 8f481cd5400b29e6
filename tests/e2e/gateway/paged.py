"""`faces page` as a process of its own, as a person runs it."""

import os
import re
import signal
import subprocess
import threading
import time
import urllib.parse

import psutil
import requests

from tests.e2e.served import FACES

TIMEOUT_S = 120


class Paged:
    """Ready when made, at `url`. lines: what it has written. A context manager, which ends it."""

    def __init__(self, grpc_url, *arguments, environment=None):
        command = [FACES, "page", "--url", grpc_url, "--timeout", str(TIMEOUT_S), "--port", "0", *map(str, arguments)]
        self.lines = []
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.url = self.wait_for(r"^page +(\S+)/$")
            self.wait_for("^(ready)$")
        except BaseException:
            self._process.kill()
            self.wait()
            raise
        self.port = urllib.parse.urlsplit(self.url).port
        self.process = psutil.Process(self._process.pid)

    def wait_for(self, pattern, seconds=120):
        """The first group of the first line that matches, once there is one."""
        give_up = time.monotonic() + seconds
        while not (found := [match[1] for line in list(self.lines) if (match := re.search(pattern, line))]):
            assert time.monotonic() < give_up, f"no line {pattern!r} in {self.lines}"
            assert self._reader.is_alive(), self.lines
            time.sleep(0.02)
        return found[0]

    def ask(self, method, path, **options):
        """requests' answer."""
        return requests.request(method, f"{self.url}{path}", timeout=TIMEOUT_S, **options)

    def post(self, path, **options):
        return self.ask("POST", path, **options)

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def metric(self, name):
        """A number of /metrics, without labels."""
        return float(re.search(rf"^{name} (\S+)$", self.get("/metrics").text, re.MULTILINE)[1])

    def wait_for_metric(self, name, value, seconds=60):
        give_up = time.monotonic() + seconds
        while (found := self.metric(name)) != value:
            assert time.monotonic() < give_up, (name, found)
            time.sleep(0.02)

    @property
    def is_running(self):
        return self._process.poll() is None

    def terminate(self):
        """As a process manager does; it ends when it has answered what it had accepted."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self):
        """Its exit status."""
        self._process.wait(60)
        self._reader.join()
        return self._process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_running:
            self.terminate()
        assert self.wait() == 0, self.lines

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
