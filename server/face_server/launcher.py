"""Starts, watches and stops one embedded tritonserver."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from face_server.backend_directory import make_backend_directory
from face_server.environment import server_environment
from face_server.errors import StartError
from face_server.log import LogReader
from face_server.options import DRAIN_SECONDS, Settings, arguments
from face_server.ports import free_ports, ipv4_address
from face_server.repository import Repository
from face_server.wheel import TritonWheel

_POLL_SECONDS = 0.05

# Where the Python backend's memory lies. A server that was killed leaves it behind.
_SHARED_MEMORY = Path("/dev/shm")

# The server is on this machine: a proxy that is set for the world has no part in it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[str]
    log: LogReader
    directory: Path


class EmbeddedTriton:
    """A tritonserver process that serves one model repository, for as long as the `with` block lasts.

    Args:
        repository: the model repository; its networks must have been exported.
        settings: where to listen and how to run.
        log: called with every line of the server's log.

    Raises (on entering):
        SetupError: this machine lacks something.
        StartError: Triton gave up, or was not ready in `settings.start_timeout` seconds.
    """

    def __init__(
        self,
        repository: Path,
        settings: Settings | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self._path = repository
        self._sink = log
        self._running: _Running | None = None
        self._address = self.settings.host
        self.ports: tuple[int, ...] = ()
        self.models: tuple[str, ...] = ()
        self.missing_models: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> "EmbeddedTriton":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def grpc_url(self) -> str:
        return f"{self._address}:{self.ports[1]}"

    @property
    def http_url(self) -> str:
        return f"http://{self._address}:{self.ports[0]}"

    @property
    def metrics_url(self) -> str:
        return f"http://{self._address}:{self.ports[2]}/metrics"

    @property
    def pid(self) -> int:
        """Process id of tritonserver; its stubs are that one's children."""
        return self._live.process.pid

    @property
    def log_lines(self) -> list[str]:
        """The latest lines of the log, oldest first."""
        return self._running.log.lines if self._running else []

    @property
    def failure_reason(self) -> str:
        """Why Triton ended, in its own words."""
        return self._live.log.reason()

    def start(self) -> None:
        """Starts the server and returns when every model is ready."""
        repository = Repository.read(self._path, self.settings.models)
        wheel = TritonWheel.find()
        settings = self.settings
        self.models, self.missing_models, self.notes = repository.loadable, repository.missing, repository.notes
        settings = replace(settings, host=ipv4_address(settings.host))
        self.ports = free_ports(settings.host, (settings.http_port, settings.grpc_port, settings.metrics_port))
        # All interfaces: this machine reaches it by loopback.
        self._address = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host
        environment = server_environment(wheel, os.environ, settings.threads, settings.networks)
        directory = Path(tempfile.mkdtemp(prefix="triton-faces-"))
        try:
            backends = make_backend_directory(directory / "backends", wheel)
            command = [str(wheel.executable), *arguments(settings, self.ports, repository, backends, wheel)]
            self._running = _Running(*_spawn(command, environment, self._sink), directory)
            self._wait_ready(settings.start_timeout)
        except BaseException:
            self.stop()
            shutil.rmtree(directory, ignore_errors=True)
            raise

    def _wait_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        waiting = ["/v2/health/ready", *(f"/v2/models/{name}/ready" for name in self.models)]
        while waiting:
            if self._live.process.poll() is not None:
                self._live.log.join()
                raise StartError(f"Triton stopped before it was ready:\n{self._live.log.reason()}")
            if time.monotonic() > deadline:
                raise StartError(f"Triton was not ready after {timeout:g} s:\n{self._live.log.reason()}")
            if _answers(self.http_url + waiting[0]):
                waiting.pop(0)
            else:
                time.sleep(_POLL_SECONDS)

    def wait(self) -> int:
        """Waits until the server ends by itself; returns its exit status."""
        return self._live.process.wait()

    def stop(self) -> None:
        """Stops the server: requests in flight are answered first. Does nothing if it is not running."""
        if self._running is None:
            return
        running, self._running = self._running, None
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            try:
                running.process.wait(timeout=DRAIN_SECONDS + 15)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.wait()
        _end_group(running.process.pid)
        running.log.join()
        for region in _SHARED_MEMORY.glob(f"{running.directory.name}*"):
            region.unlink()
        shutil.rmtree(running.directory)

    @property
    def _live(self) -> _Running:
        if self._running is None:
            raise StartError("the server is not running")
        return self._running


def _spawn(
    command: list[str], environment: dict[str, str], sink: Callable[[str], None] | None
) -> tuple[subprocess.Popen[str], LogReader]:
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        # A Ctrl-C meant for us must reach Triton as an orderly stop, not as a second signal.
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, LogReader(process.stdout, sink)


def _end_group(group: int) -> None:
    """Ends stubs that outlived a server that was killed."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _answers(url: str) -> bool:
    try:
        with _OPENER.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
