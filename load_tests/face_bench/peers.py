"""The peers: other people's detectors, each installed in a virtual environment and asked in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_bench import output
from face_bench.contenders import FoundFaces, Measured, PeerError
from face_bench.peer_worker import FACENET_PYTORCH, IPAZC_MTCNN
from face_bench.pictures import Picture

_INSTALL_TIMEOUT_S = 3600.0
_START_TIMEOUT_S = 180.0
_ANSWER_TIMEOUT_S = 120.0

_STAMP = ".installed"
_LOG_LINES = 5
_PACKAGES = Path(__file__).parents[1]

# Settings for our process or server that would change what a peer does by itself.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_PRELOAD", *_THREADS)


@dataclass(frozen=True)
class Peer:
    """folder: of its environment. requirements: exact, so that a run can be repeated. worker: module to run there.
    alone: what is installed without what it asks for in its turn."""

    name: str
    folder: str
    requirements: tuple[str, ...]
    worker: str = "face_bench.peer_worker"
    alone: tuple[str, ...] = ()


PEERS = (
    # Brings the torch it pins (2.2), with CUDA unless pip is shown an index of CPU builds: about 5 GB.
    Peer(FACENET_PYTORCH, "facenet-pytorch", ("facenet-pytorch==2.6.0", "numpy<2")),
    Peer(IPAZC_MTCNN, "mtcnn", ("mtcnn==1.0.0", "tensorflow-cpu==2.21.0")),
)


@dataclass(frozen=True)
class PeerStatus:
    """about: versions and threads as the worker gives them. problem: why it was not measured; empty if it was."""

    name: str
    about: dict[str, Any]
    problem: str = ""


def start_peers(peers: Sequence[Peer], cache: Path, stack: ExitStack) -> tuple[list["PeerProcess"], list[PeerStatus]]:
    """Those that can be installed and started, stopped when the stack is left; and how it went for all.

    cache: the folder of all peers' environments.
    """
    started, statuses = [], []
    for peer in peers:
        try:
            with output.activity(f"{peer.name}: environment (made once, may fetch gigabytes) and start") as show:
                process = PeerProcess(peer, environment(peer, cache, show))
        except PeerError as error:
            output.say(f"going on without {peer.name}: {error}")
            statuses.append(PeerStatus(peer.name, {}, str(error)))
            continue
        started.append(stack.enter_context(closing(process)))
        statuses.append(PeerStatus(peer.name, process.about))
    return started, statuses


def environment(peer: Peer, cache: Path, progress: Callable[[str], None]) -> Path:
    """The Python of the peer's environment, which is made where it is not there or holds something else.

    Args:
        cache: the folder of all peers' environments.
        progress: called with each line that pip writes.

    Raises:
        PeerError: with pip's last words.
    """
    folder = cache / peer.folder
    python = folder / "bin" / "python"
    stamp = folder / _STAMP
    # The stamp is written last, so an installation that was interrupted is done again.
    content = "\n".join([sys.version, *peer.requirements, *peer.alone])
    if stamp.is_file() and stamp.read_text() == content and python.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)], peer, progress)
    # -I: what PYTHONPATH shows pip here, the worker will not see.
    pip = [str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    _run([*pip, *peer.requirements], peer, progress)
    if peer.alone:
        _run([*pip, "--no-deps", *peer.alone], peer, progress)
    stamp.write_text(content)
    return python


def _run(command: list[str], peer: Peer, progress: Callable[[str], None]) -> None:
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        raise PeerError(f"cannot install {peer.name}: {error}") from error
    assert process.stdout is not None
    limit = threading.Timer(_INSTALL_TIMEOUT_S, process.kill)
    limit.start()
    lines: list[str] = []
    try:
        for line in process.stdout:
            lines.append(line.strip())
            progress(lines[-1])
        status = process.wait()
    finally:
        # Not left behind when a person gives up.
        process.kill()
        process.wait()
        limit.cancel()
    if status:
        raise PeerError(f"cannot install {peer.name}: " + " / ".join(lines[-_LOG_LINES:]))


class PeerProcess:
    """A contender in its own process, handed the decoded array; only its own call is on the clock.

    about: its versions, as it gives them.

    Args:
        threads: for its arithmetic; None for its own default.

    Raises (here and when it is asked):
        PeerError: it did not start, ended, or took too long; with its last words.
    """

    def __init__(self, peer: Peer, python: Path, threads: int | None = None) -> None:
        self.name = peer.name
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 (closed in `close`)
        self._process = subprocess.Popen(
            [str(python), "-m", peer.worker, peer.name],
            env=_variables(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )
        self.about = self._read(_START_TIMEOUT_S)

    def detect(self, picture: Picture) -> Measured:
        return Measured(*self.find(picture.pixels))

    def find(self, pixels: NDArray[np.uint8]) -> tuple[float, FoundFaces]:
        """RGB uint8 [H,W,3] → seconds that the detection took inside the process, and what it found."""
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


def _variables(threads: int | None) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    if threads:
        variables |= dict.fromkeys(_THREADS, str(threads))
    # An unused GPU must not change what is compared; TensorFlow's greetings would bury its last words.
    return {**variables, "PYTHONPATH": str(_PACKAGES), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
