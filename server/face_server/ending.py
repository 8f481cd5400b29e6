"""The end of a tritonserver: what it has accepted is answered first, and nothing of it stays on this machine.

- `without_orphans`: it must not outlive its launcher. Nobody would look after it, and it would keep its ports from the
  next one.
- `Workplace`: what it has outside of its process, a directory of backends and shared memory. One that was killed cannot
  take them along, so the next one that starts looks for such leftovers.
- `end`: stops it, by force where it has nothing left to do and does not end.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from face_server.log import LogReader
from face_server.plain_names import is_plain

# Of util-linux, which every usual distribution has.
_SETPRIV = "setpriv"

# The first part of the names of a server's directory and, as it is told, of its shared memory.
PREFIX = "triton-faces-"

_LOCK = "lock"

# Where the Python backend's memory lies, named for the server's directory.
_SHARED_MEMORY = Path("/dev/shm")

_PLAIN_TEMPORARY = "/tmp"

_POLL_SECONDS = 0.1

# What Triton's log says when it counts no more requests in flight. What its models have taken is still answered.
_DRAINED = "All models are stopped, unloading models"

# Triton 2.51 waits in vain for a model of which a process was killed. Processor seconds of a server that is at work on
# answers, even where many others share the machine: more than so many in so many on the clock.
_AT_WORK, _IDLE_SECONDS = 0.1, 5.0


def without_orphans(command: Sequence[str]) -> list[str]:
    """A command that ends with SIGTERM when this process ends, whatever ends it.

    The kernel's signal comes with the end of the thread that starts the command. So a command that any thread but the
    main one starts is left as it is, as on a machine without `setpriv`.
    """
    setpriv = shutil.which(_SETPRIV)
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return list(command)
    return [setpriv, "--pdeathsig", "TERM", "--", *command]


def temporary_directory() -> str:
    """Where servers have their directories: the machine's usual place, unless Triton could not read its name."""
    usual = tempfile.gettempdir()
    return usual if is_plain(usual) else _PLAIN_TEMPORARY


@dataclass(frozen=True)
class Workplace:
    """The directory of one server.

    lock: of a file in it, to be inherited by the server and its stubs. The system ends the lock with the last of them,
    whatever ended them; what nobody locks is a leftover.
    """

    path: Path
    lock: IO[str]

    @classmethod
    def make(cls) -> "Workplace":
        """A new one. Removes what servers that were killed left behind."""
        remove_leftovers()
        path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary_directory()))
        # Another launcher must not find it before it is locked.
        unlocked = path / f"{_LOCK}.new"
        lock = unlocked.open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        unlocked.rename(path / _LOCK)
        return cls(path, lock)

    def remove(self) -> None:
        """Removes the directory and the shared memory, once no process of the server is left."""
        _remove(self.path)
        self.lock.close()


def remove_leftovers(temporary: Path | None = None) -> list[Path]:
    """Removes what servers that were killed left behind; returns their directories. Other users' are left alone.

    temporary: where the directories lie, the machine's usual place if not given.
    """
    removed = []
    for lock in Path(temporary or temporary_directory()).glob(f"{PREFIX}*/{_LOCK}"):
        try:
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.parent)
        except OSError:
            # Locked by a server that lives, somebody else's, or removed by another launcher in this moment.
            continue
        removed.append(lock.parent)
    return removed


def _remove(directory: Path) -> None:
    for region in _SHARED_MEMORY.glob(f"{directory.name}*"):
        region.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        # A cleaner of temporary files may have been here.
        shutil.rmtree(directory)


def has_ended(process: subprocess.Popen[str]) -> bool:
    """For whoever looks again and again. A signal whose handler raises, as that of `faces serve` does, may come within
    `poll()` and leave its lock taken: then nobody could wait for the process any more."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end(process: subprocess.Popen[str], log: LogReader, grace: float) -> None:
    """Stops a server; returns when it and its stubs are gone. One that has ended already may have left stubs.

    grace: after so many seconds the server is killed; sooner where it has nothing left to do and does not end.
    """
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        if not _ends(process, log, grace):
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ends(process: subprocess.Popen[str], log: LogReader, grace: float) -> bool:
    """Whether it ends by itself, in its grace and while it has something to do."""
    deadline, at_work, computed = time.monotonic() + grace, time.monotonic(), 0.0
    while time.monotonic() < deadline:
        try:
            process.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return True
        now = _computed(process.pid)
        if not log.says(_DRAINED) or abs(now - computed) > _AT_WORK:
            at_work, computed = time.monotonic(), now
        elif time.monotonic() - at_work > _IDLE_SECONDS:
            return False
    return False


def _computed(server: int) -> float:
    """Processor seconds of the server and its stubs; falls when a stub ends."""
    total = 0.0
    try:
        for process in (psutil.Process(server), *psutil.Process(server).children()):
            times = process.cpu_times()
            total += times.user + times.system
    except psutil.NoSuchProcess:
        # One ended just now, which is a change as well.
        return -1.0
    return total
