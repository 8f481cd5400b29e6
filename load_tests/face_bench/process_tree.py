"""What a process and all its children use of processor and memory, and what the rest of the machine is doing."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

_KIB = 1024
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """Bytes of all processes. rss counts pages that processes share in each of them, pss counts them once."""

    rss: int
    pss: int
    processes: int


class ProcessTree:
    """A process and its children, theirs too: tritonserver and its stubs, say."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        times = [_or_none(process.cpu_times) for process in self._all()]
        return sum(t.user + t.system for t in times if t is not None)

    def memory(self) -> Memory:
        """Memory in use now. A process that ends meanwhile counts as none."""
        processes = self._all()
        rss = [info.rss for p in processes if (info := _or_none(p.memory_info)) is not None]
        return Memory(sum(rss), sum(pss(process.pid) for process in processes), len(rss))

    def _all(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]


class OtherLoad:
    """What everything but this process and its children uses of our cores, from now on."""

    def __init__(self) -> None:
        self._ours = ProcessTree(os.getpid())
        self._started = time.perf_counter()
        self._before = self._seconds()

    def cores(self) -> float:
        """Cores' worth of processor time so far, what the hypervisor took included."""
        # The two clocks tick in hundredths of a second: their difference may fall a little below nothing.
        return max(0.0, (self._seconds() - self._before) / (time.perf_counter() - self._started))

    def _seconds(self) -> float:
        every = psutil.cpu_times(percpu=True)
        busy = sum(sum(every[n]) - _not_busy(every[n]) for n in os.sched_getaffinity(0))
        return busy - self._ours.cpu_seconds()


def _not_busy(times: object) -> float:
    # Guests' time is counted in user time already.
    return sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice"))


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except psutil.NoSuchProcess:
        return None


def pss(pid: int) -> int:
    """Bytes of one process, pages that it shares divided among all that have them; 0 once it has ended."""
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0
    return int(found[1]) * _KIB if found else 0
