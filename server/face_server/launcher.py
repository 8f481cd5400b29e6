"""Starts, watches and stops one embedded tritonserver."""

import importlib.util
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from face_client.extras import how_to_install
from face_repository.configurations import TUNED, refresh
from face_repository.laying_out import renew
from face_repository.layout import Repository, RepositoryError
from face_repository.tuned import Tuned
from face_server.ending import Workplace, end, has_ended, without_orphans
from face_server.errors import SetupError, StartError
from face_server.gpu import gpu_count
from face_server.http_api import is_up
from face_server.invocation import DRAIN_SECONDS, arguments, environment
from face_server.log import LogReader
from face_server.plain_names import link, python_directory
from face_server.ports import free_ports, ipv4_address, to_reach
from face_server.settings import ADMIN_KEY_VARIABLE, Settings
from face_server.wheel import TritonWheel, make_backend_directory

_POLL_SECONDS = 0.05

STOP_SECONDS = DRAIN_SECONDS + 15
"""So long a server that is stopped has to answer what is in flight and to end."""


@dataclass(frozen=True)
class _Running:
    process: subprocess.Popen[str]
    log: LogReader
    workplace: Workplace


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
        self._address = self._http_address = self.settings.host
        self.ports: tuple[int, ...] = ()
        self.models: tuple[str, ...] = ()
        self.missing_models: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.admin_key = ""

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
        return f"http://{self._http_address}:{self.ports[0]}"

    @property
    def metrics_url(self) -> str:
        return f"http://{self._address}:{self.ports[2]}/metrics"

    @property
    def pid(self) -> int:
        """Process id of tritonserver; its stubs are that one's children."""
        return self._live.process.pid

    @property
    def is_running(self) -> bool:
        """Whether tritonserver was started and has not ended."""
        return self._running is not None and not has_ended(self._running.process)

    @property
    def log_lines(self) -> list[str]:
        """The latest lines of the log, oldest first."""
        return self._running.log.lines if self._running else []

    @property
    def failure_reason(self) -> str:
        """Why Triton ended: its own words, or whose signal it was."""
        if self._live.process.poll() == -signal.SIGKILL:
            return "it was killed, as the kernel does where memory is short"
        return self._live.log.reason()

    def start(self) -> None:
        """Starts the server and returns when every model is ready. A server that was stopped may be started again."""
        try:
            renew(self._path)
            gallery = bool(self.settings.gallery_address)
            if gallery:
                _check_galleries()
            repository = Repository.read(self._path, self.settings.models, gallery)
            refresh(repository.path, repository.loadable)
            if self.settings.configuration == TUNED:
                _check_tuned(Tuned.read(repository.path))
        except RepositoryError as error:
            raise SetupError(str(error)) from error
        wheel = TritonWheel.find()
        settings = self.settings
        self.models, self.missing_models, self.notes = repository.loadable, repository.missing, repository.notes
        if settings.tls:
            settings.tls.check()
        addresses = ipv4_address(settings.host), ipv4_address(settings.http_address)
        settings = replace(settings, host=addresses[0], http_host=addresses[1])
        hosts = (settings.http_address, settings.host, settings.host)
        self.ports = free_ports(hosts, (settings.http_port, settings.grpc_port, settings.metrics_port))
        self._address, self._http_address = map(to_reach, addresses)
        # Unless the environment has one, nobody is told the key, so nobody can load more over the network; other users
        # of this machine can read it in the list of processes.
        self.admin_key = os.environ.get(ADMIN_KEY_VARIABLE) or secrets.token_hex()
        workplace = Workplace.make()
        try:
            backends = make_backend_directory(workplace.path / "backends", wheel)
            python = python_directory(workplace.path)
            variables = environment(settings, wheel, os.environ, repository.live, python)
            linked = replace(repository, path=link(repository.path, workplace.path / "models"))
            options = arguments(settings, self.ports, linked, backends, wheel, self.admin_key)
            command = without_orphans([str(wheel.executable), *options])
            self._running = _Running(*_spawn(command, variables, self._sink, workplace), workplace)
            self._wait_ready(settings.start_timeout)
        except BaseException:
            if self._running is None:
                workplace.remove()
            self.stop()
            raise

    def _wait_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        waiting = ["/v2/health/ready", *(f"/v2/models/{name}/ready" for name in self.models)]
        while waiting:
            if has_ended(self._live.process):
                self._live.log.join()
                raise StartError(f"Triton stopped before it was ready: {self._live.log.reason()}")
            if time.monotonic() > deadline:
                raise StartError(f"Triton was not ready after {timeout:g} s (start_timeout): {_still_loading(waiting)}")
            if is_up(self.http_url + waiting[0]):
                waiting.pop(0)
            else:
                time.sleep(_POLL_SECONDS)

    def wait(self) -> int:
        """Waits until the server ends by itself; returns its exit status."""
        return self._live.process.wait()

    def stop(self, grace: float = STOP_SECONDS) -> None:
        """Stops the server: requests in flight are answered first. Does nothing if it is not running.

        grace: after so many seconds it is killed.
        """
        if self._running is None:
            return
        running = self._running
        # Until it has ended it is there to be stopped: a signal may come while it ends.
        end(running.process, running.log, grace)
        self._running = None
        running.log.join()
        running.workplace.remove()

    @property
    def _live(self) -> _Running:
        if self._running is None:
            raise StartError("the server is not running")
        return self._running


def _still_loading(waiting: list[str]) -> str:
    """waiting: paths that do not answer 200 yet."""
    models = [path.split("/")[3] for path in waiting if path.startswith("/v2/models/")]
    return f"it was still loading {', '.join(models)}"


def _check_tuned(tuned: Tuned | None) -> None:
    """Triton would take `config.pbtxt` where there is no configuration of that name, and say nothing."""
    if tuned is None:
        raise SetupError("there is no configuration `tuned` yet: run `make tune` first")
    if tuned.gpu != bool(gpu_count()):
        there = "on a GPU, and here is none" if tuned.gpu else "on a CPU, and here is a GPU"
        raise SetupError(f"the configuration `tuned` was measured {there}: run `make tune` again")


def _check_galleries() -> None:
    """Triton would say that no module has that name."""
    if importlib.util.find_spec("face_gallery") is None:
        raise SetupError(f"a gallery needs face_gallery: {how_to_install('triton-faces', 'gallery')}")


def _spawn(
    command: list[str], environment: dict[str, str], sink: Callable[[str], None] | None, workplace: Workplace
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
        pass_fds=[workplace.lock.fileno()],
    )
    assert process.stdout is not None
    return process, LogReader(process.stdout, sink)
