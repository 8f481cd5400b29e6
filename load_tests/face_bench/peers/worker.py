"""A peer at work: starts its worker process, asks it, stops it."""

import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_bench.errors import PeerError
from face_bench.faces import FoundFaces
from face_bench.peers.catalogue import Peer

_START_TIMEOUT_S = 180.0
_ANSWER_TIMEOUT_S = 120.0
_PACKAGES = Path(__file__).parents[2]

# Settings for our process or server that would change what a peer does by itself.
_NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "LD_PRELOAD")


class Worker:
    """One peer in its own process; `about` holds its versions.

    Raises (here and in detect):
        PeerError: it did not start, ended, or took too long; with its last words.
    """

    def __init__(self, peer: Peer, python: Path) -> None:
        self.name = peer.name
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            [str(python), "-m", peer.worker],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.about = self._read(_START_TIMEOUT_S)

    def detect(self, pixels: NDArray[np.uint8]) -> tuple[float, FoundFaces]:
        """Seconds that the detection took inside the worker, and what it found."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"shape": pixels.shape}).encode() + b"\n")
            self._process.stdin.write(pixels.data)
            self._process.stdin.flush()
        except OSError as error:
            raise self._failure("ended") from error
        answer = self._read(_ANSWER_TIMEOUT_S)
        return answer["seconds"], FoundFaces.of(answer["boxes"], answer["probabilities"], answer["landmarks"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _read(self, timeout: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        deadline = time.monotonic() + timeout
        limit = threading.Timer(timeout, self._process.kill)
        limit.start()
        try:
            line = self._process.stdout.readline()
        finally:
            limit.cancel()
        if not line:
            raise self._failure("ended" if time.monotonic() < deadline else f"took longer than {timeout:g} s")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failure(self, what: str) -> PeerError:
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().strip().splitlines()[-1:]
        return PeerError(f"{self.name}: its process {what}" + "".join(f": {line}" for line in last))


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    # An unused GPU must not change what is compared; TensorFlow's greetings would bury its last words.
    return {**environment, "PYTHONPATH": str(_PACKAGES), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
