"""The processes that run Triton's Python models, its stubs, and their deaths.

Triton 2.51 goes on without noticing when one dies, says that its model is ready, and fails one batch a second on it.
The kernel tells at once: a process's descriptor becomes readable when it ends.
"""

import os
import select
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

# Where the Python backend says what it starts: executable, model's file, shared memory and its sizes, server,
# backend's directory, a handle, name of the instance, directory of the model's backend.
_FILE, _INSTANCE = 1, 8
_WORDS = 10

_EXECUTABLE = "triton_python_backend_stub"

# All that the kernel still says of a dead process: its name, cut off.
_NAME = _EXECUTABLE[:15]

# A stub that Triton ends on purpose is gone as soon as Triton has collected it; until then it looks dead.
_COLLECTED_SECONDS = 0.2


@dataclass(frozen=True)
class Stub:
    """The process of one instance, such as `mtcnn_0_1`, of a model."""

    process: psutil.Process
    model: str
    instance: str


class StubWatch:
    """The stubs of one tritonserver."""

    def __init__(self, server: int) -> None:
        self._server = psutil.Process(server)
        self._poll = select.poll()
        self._stubs: dict[int, Stub] = {}
        self._ending = os.pidfd_open(server)
        self._poll.register(self._ending, select.POLLIN)
        self._find()

    @property
    def alive(self) -> list[Stub]:
        return list(self._stubs.values())

    def wait(self, seconds: float) -> list[Stub]:
        """The stubs that died in the next `seconds`; returns at once when some did, or the server ended."""
        self._find()
        ended: list[Stub] = []
        while more := self._ended(seconds):
            ended += more
            time.sleep(_COLLECTED_SECONDS)
            # What ended one often ends others soon after, and they are better replaced together.
            seconds = 0
        return [stub for stub in ended if _is_zombie(stub.process)]

    def died_unseen(self) -> bool:
        """Whether a stub is dead that was so before this watch began, of whatever instance."""
        dead = [child for child in self._server.children() if child.name()[:15] == _NAME and _is_zombie(child)]
        if dead:
            time.sleep(_COLLECTED_SECONDS)
        return any(_is_zombie(child) for child in dead)

    def computed_seconds(self) -> float:
        """Processor seconds that all stubs have used so far. May be called from another thread."""
        total = 0.0
        for stub in self.alive:
            try:
                times = stub.process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total

    def close(self) -> None:
        for descriptor in (self._ending, *self._stubs):
            os.close(descriptor)
        self._stubs.clear()

    def _find(self) -> None:
        """Takes up stubs that were started since."""
        known = {stub.process.pid for stub in self._stubs.values()}
        try:
            children = self._server.children()
        except psutil.NoSuchProcess:
            return
        for process in children:
            stub = None if process.pid in known else _stub(process)
            if stub:
                try:
                    descriptor = os.pidfd_open(process.pid)
                except ProcessLookupError:
                    continue
                self._stubs[descriptor] = stub
                self._poll.register(descriptor, select.POLLIN)

    def _ended(self, seconds: float) -> list[Stub]:
        ended = [self._forget(descriptor) for descriptor, _ in self._poll.poll(seconds * 1000)]
        return [stub for stub in ended if stub]

    def _forget(self, descriptor: int) -> Stub | None:
        """The stub of a descriptor, which is closed; None for the server's."""
        stub = self._stubs.pop(descriptor, None)
        if stub:
            self._poll.unregister(descriptor)
            os.close(descriptor)
        return stub


def _stub(process: psutil.Process) -> Stub | None:
    """None for what is no stub, not yet one, or dead."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return None
    if len(words) < _WORDS or not words[0].endswith(_EXECUTABLE):
        return None
    return Stub(process, Path(words[_FILE]).parents[1].name, words[_INSTANCE])


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
