"""What a server's processes use of processor, memory and files, what Triton does, and what everything else is doing."""

import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from face_bench import BenchError
from face_bench.metrics import Metrics, scrape
from face_server import EmbeddedTriton

T = TypeVar("T")

QUIET_CORES = 0.1
"""Where everything else uses more, times are theirs as well."""

INTERVAL_S = 0.5
"""Between two looks at a server under load."""

_KIB = 1024
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)

# A line of /proc/PID/maps: the last column is the file, if there is one.
_SHARED = re.compile(r"\s(/dev/shm/\S+)", re.MULTILINE)

# Where Triton's Python backend names the instance that a stub runs, such as `mtcnn_0_0`.
_STUB, _INSTANCE = "triton_python_backend_stub", 8


@dataclass(frozen=True)
class ProcessUse:
    """name: of the program, or of the model's instance. started: seconds since 1970. Bytes; rss counts pages that
    processes share in each of them, pss divides them up."""

    name: str
    pid: int
    started: float
    rss: int
    pss: int
    open_files: int


@dataclass(frozen=True)
class ServerState:
    """shared_memory: bytes of the files in /dev/shm that the server's processes have mapped."""

    processes: tuple[ProcessUse, ...]
    shared_memory: int

    @property
    def rss(self) -> int:
        return sum(process.rss for process in self.processes)

    @property
    def pss(self) -> int:
        return sum(process.pss for process in self.processes)

    @property
    def open_files(self) -> int:
        return sum(process.open_files for process in self.processes)


def server_state(pid: int) -> ServerState:
    """Of a process and all its children, now. One that ends meanwhile is left out; so is all, if the first has."""
    processes = _family(pid)
    uses = [_unless_gone(partial(_use, process)) for process in processes]
    return ServerState(tuple(use for use in uses if use), _shared_memory(process.pid for process in processes))


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and all its children have used so far."""
    times = [_unless_gone(process.cpu_times) for process in _family(pid)]
    return sum(t.user + t.system for t in times if t is not None)


def _family(pid: int) -> list[psutil.Process]:
    """A process and its children, theirs too: tritonserver and its stubs, say. Empty once it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _use(process: psutil.Process) -> ProcessUse:
    with process.oneshot():
        return ProcessUse(
            name=_name(process),
            pid=process.pid,
            started=process.create_time(),
            rss=process.memory_info().rss,
            pss=_pss(process.pid),
            open_files=process.num_fds(),
        )


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    is_stub = len(words) > _INSTANCE and words[0].endswith(_STUB)
    return words[_INSTANCE] if is_stub else process.name()


def _pss(pid: int) -> int:
    rollup = _unless_gone(Path(f"/proc/{pid}/smaps_rollup").read_text)
    found = _PSS.search(rollup or "")
    return int(found[1]) * _KIB if found else 0


def _shared_memory(pids: Iterable[int]) -> int:
    """Each file once. Blocks, not sizes: a file has no memory where nobody has written."""
    maps = [_unless_gone(Path(f"/proc/{pid}/maps").read_text) for pid in pids]
    files = {file for text in maps if text for file in _SHARED.findall(text)}
    found = [_unless_gone(Path(file).stat) for file in files]
    return sum(stat.st_blocks * 512 for stat in found if stat)


def _unless_gone(read: Callable[[], T]) -> T | None:
    """What was read; None where the process or the file has gone."""
    try:
        return read()
    except (OSError, psutil.NoSuchProcess):
        return None


class OtherLoad:
    """What everything but this process and its children uses of our cores, from now on."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._before = self._other_seconds()

    def cores(self) -> float:
        """Cores' worth of processor time so far, what the hypervisor took included."""
        return self.seconds() / (time.perf_counter() - self._started)

    def seconds(self) -> float:
        """The processor time itself."""
        # The two clocks tick in hundredths of a second: their difference may fall a little below nothing.
        return max(0.0, self._other_seconds() - self._before)

    @staticmethod
    def _other_seconds() -> float:
        every = psutil.cpu_times(percpu=True)
        busy = sum(sum(every[n]) - _not_busy(every[n]) for n in os.sched_getaffinity(0))
        return busy - cpu_seconds(os.getpid())


def _not_busy(times: object) -> float:
    # Guests' time is counted in user time already.
    return sum(getattr(times, name, 0.0) for name in ("idle", "iowait", "guest", "guest_nice"))


@dataclass(frozen=True)
class Reading:
    """Counters at a time of `time.perf_counter`; seconds of processor time used so far."""

    at: float
    metrics: Metrics
    server_cpu: float
    other_cpu: float


@dataclass(frozen=True)
class ServerUse:
    """server_cores, other_cores: processor time a second of the server, and of everything else on the machine but this
    program, which should be next to nothing. batch: images an execution, of each model that Triton itself executed;
    networks inside the cascade's process are not among them."""

    server_cores: float
    other_cores: float
    batch: dict[str, float]


class Watcher:
    """Reads the counters of a server under load."""

    def __init__(self, triton: EmbeddedTriton) -> None:
        self._triton = triton
        self._others = OtherLoad()
        self.readings: list[Reading] = []

    def read(self) -> Reading:
        """Adds a reading. Raises BenchError where the server's metrics do not answer."""
        at, other = time.perf_counter(), self._others.seconds()
        server = cpu_seconds(self._triton.pid)
        self.readings.append(Reading(at, scrape(self._triton.metrics_url), server, other))
        return self.readings[-1]


def use_between(readings: Sequence[Reading], start: float, end: float) -> ServerUse:
    """From the first reading within two times to the last. Raises BenchError where there are not two."""
    within = [reading for reading in readings if start <= reading.at <= end]
    if len(within) < 2:
        raise BenchError(
            f"{end - start:.1f} s are too short to see what the server does; take {4 * INTERVAL_S:g} or more"
        )
    first, last = within[0], within[-1]
    seconds = last.at - first.at
    return ServerUse(
        server_cores=(last.server_cpu - first.server_cpu) / seconds,
        other_cores=max(0.0, last.other_cpu - first.other_cpu) / seconds,
        batch=last.metrics.since(first.metrics).batches(),
    )
