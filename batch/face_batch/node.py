"""One Triton a node: an actor that starts it, and takes shards to it. For nodes with a GPU, which one server fills."""

import tempfile
from pathlib import Path
from threading import Lock
from typing import Any

import ray

from face_batch.engines import Networks, ServedEngine
from face_batch.errors import WorkFailed
from face_batch.working import Work, commit_shard
from face_repository.laying_out import lay_out
from face_repository.layout import EXPORTED
from face_server import EmbeddedTriton, ServerError, Settings

SHARDS_AT_ONCE = 2
"""Of one server: while one shard is written, the other keeps it busy."""


class NodeServer:
    """Serves the networks on its node for as long as it lives."""

    def __init__(self, work: Work, networks: Networks) -> None:
        self._work = work
        self._folder = tempfile.TemporaryDirectory(prefix="faces-batch-")
        repository = Path(self._folder.name)
        lay_out(repository)
        for name, content in networks.items():
            (repository / name / "1").mkdir(parents=True, exist_ok=True)
            (repository / name / "1" / EXPORTED).write_bytes(content)
        self._triton = EmbeddedTriton(repository, Settings())
        self._engine: ServedEngine | None = None
        self._lock = Lock()

    def do_shard(self, number: int, board: Any) -> None:
        """See face_batch.working. Raises WorkFailed where no server can be started, too."""
        commit_shard(self._work, number, self._running(), board)

    def _running(self) -> ServedEngine:
        """The server, started where it is not there, or not any more."""
        with self._lock:
            if self._engine is None or not self._triton.is_running:
                try:
                    self._triton.stop()
                    self._triton.start()
                except ServerError as error:
                    here = ray.util.get_node_ip_address()
                    raise WorkFailed(f"no server can be started on {here}: {error}") from error
                run = self._work.run
                self._engine = ServedEngine(self._triton.grpc_url, run.options, run.embeddings, run.crops)
            return self._engine

    def close(self) -> None:
        """Stops the server."""
        if self._engine is not None:
            self._engine.close()
        self._triton.stop()
        self._folder.cleanup()
