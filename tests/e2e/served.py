"""`faces serve` as a process of its own, as a person or a process manager runs it."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from tests.e2e.conftest import REPOSITORY

FACES = Path(sys.executable).with_name("faces")


class Served:
    """Ready when made. Its supervisor's lines are in `lines`."""

    def __init__(self, *arguments):
        command = [FACES, "serve", "--repository", REPOSITORY, "--quiet", "--health-port", "0"]
        # As long as is waited for below: other tests may have the processors.
        command += ["--start-timeout", "300", *arguments]
        self.lines = []
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.wait_for("^ready$", 300)
        except BaseException:
            self.kill()
            raise
        self.url = self.line(r"^gRPC +(\S+)$")
        self.metrics_url = self.line(r"^metrics +(\S+)$")
        self._health_url = self.line(r"^health +(\S+)$")

    def line(self, pattern):
        """The first group of the first line that matches."""
        return next(match[1] for line in self.lines if (match := re.search(pattern, line)))

    def wait_for(self, pattern, seconds=120):
        """Until a line matches."""
        give_up = time.monotonic() + seconds
        while not any(re.search(pattern, line) for line in self.lines):
            assert time.monotonic() < give_up, f"no line {pattern!r} in {self.lines}"
            assert self.is_running or self._reader.is_alive(), self.lines
            time.sleep(0.02)

    def health(self):
        """(status, report) of /health/ready."""
        try:
            with urllib.request.urlopen(self._health_url, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def wait_for_health(self, status, seconds=120):
        """The report of the first answer with a status."""
        give_up = time.monotonic() + seconds
        while True:
            found, report = self.health()
            if found == status:
                return report
            assert time.monotonic() < give_up, report
            time.sleep(0.02)

    @property
    def is_running(self):
        return self._process.poll() is None

    @property
    def triton(self):
        """tritonserver's process."""
        return next(p for p in psutil.Process(self._process.pid).children() if p.name() == "tritonserver")

    def stubs(self, model):
        """The processes of a model's instances."""
        alive = [p for p in self.triton.children() if p.status() != psutil.STATUS_ZOMBIE]
        return [p for p in alive if any(word.startswith(f"{model}_") for word in p.cmdline()[8:9])]

    def terminate(self):
        """As a process manager does; it ends when it has answered what it had accepted."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self):
        """Its exit status."""
        self._process.wait(120)
        self._reader.join()
        return self._process.returncode

    def kill(self):
        """As a machine that fails: everything at once."""
        if self.is_running:
            family = psutil.Process(self._process.pid).children(recursive=True)
            for process in (psutil.Process(self._process.pid), *family):
                process.kill()
        self.wait()

    def _read(self):
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
