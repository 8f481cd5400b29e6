"""One Triton a node, which fills its GPU: an actor with `faces serve` below it, to which it takes shards."""

import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import Any

from face_batch.engines import Networks, ServedEngine
from face_batch.errors import WorkFailed
from face_batch.shards import Counts
from face_batch.working import Work, commit_shard
from face_client.options import URL_VARIABLE
from face_repository.laying_out import lay_out
from face_repository.layout import EXPORTED, RepositoryError
from face_runtime.settings import cores
from face_server.ending import Workplace

SHARDS_AT_ONCE = 2
"""Of one server: while one shard is written, the other keeps it busy."""

# The supervisor of `faces serve` starts Triton again where it ends or hangs. So long pictures wait for it.
_TIMEOUT_S, _RETRIES = 120.0, 120

# Runs as long as the server: tells its address, and waits for the end of the pipe, which this process holds open. So
# whatever ends this process ends the server.
_UNTIL_CLOSED = f'echo "${URL_VARIABLE}" && exec cat'


class NodeServer:
    """Serves the networks on its node from the first shard on, for as long as it lives."""

    def __init__(self, work: Work, networks: Networks) -> None:
        self._work, self._networks = work, networks
        self._lock = Lock()
        # What lies there is removed by the next server on this machine, where this one cannot.
        self._place = Workplace.make()
        self._process: subprocess.Popen[str] | None = None
        self._engine: ServedEngine | None = None

    def do_shard(self, number: int, board: Any) -> Counts:
        """See face_batch.working. Raises WorkFailed where no server can be started, too."""
        return commit_shard(self._work, number, self._running(), board)

    def close(self) -> None:
        """Stops the server."""
        with self._lock:
            if self._process is not None:
                assert self._process.stdin is not None
                self._process.stdin.close()
                self._process.wait()
        self._place.remove()

    def _running(self) -> ServedEngine:
        """The server, started where it is not there, or was given up."""
        with self._lock:
            if self._engine is None or self._process is None or self._process.poll() is not None:
                try:
                    url = self._start()
                except (OSError, RepositoryError) as error:
                    raise _cannot_start(str(error)) from error
                run = self._work.run
                self._engine = ServedEngine(
                    url, run.options, run.embeddings, run.crops, timeout=_TIMEOUT_S, retries=_RETRIES
                )
            return self._engine

    def _start(self) -> str:
        """Returns the server's address when it answers."""
        repository, log = self._place.path / "repository", self._place.path / "log"
        lay_out(repository)
        for name, content in self._networks.items():
            network = repository / name / "1" / EXPORTED
            network.parent.mkdir(parents=True, exist_ok=True)
            network.write_bytes(content)
        faces = str(Path(sys.executable).with_name("faces"))
        # Threads: Ray says one, in the environment of an actor that takes no core.
        options = ["--any-ports", "--quiet", f"--threads={cores()}", f"--repository={repository}"]
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [faces, "serve", *options, "--", "sh", "-c", _UNTIL_CLOSED],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                # Ctrl-C is the driver's.
                start_new_session=True,
            )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        if not url:
            raise _cannot_start(log.read_text().strip().rpartition("\n")[2])
        return url


def _cannot_start(reason: str) -> WorkFailed:
    return WorkFailed(f"no server can be started there: {reason}")
