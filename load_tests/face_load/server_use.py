"""What the server and the rest of the machine did while a load ran."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import Popen

from face_bench.metrics import Metrics, scrape
from face_bench.process_tree import OtherLoad, ProcessTree
from face_bench.sweep import achieved_batches
from face_load.errors import LoadError
from face_server import EmbeddedTriton

_INTERVAL_S = 0.5


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
    program. batch: images an execution, of each model that Triton executed."""

    server_cores: float
    other_cores: float
    batch: dict[str, float]


class Watcher:
    """Reads the server's counters for as long as a load generator runs."""

    def __init__(self, triton: EmbeddedTriton) -> None:
        self._triton = triton
        self._processes = ProcessTree(triton.pid)
        self._others = OtherLoad()
        self._started = time.perf_counter()
        self.readings: list[Reading] = []

    def read(self) -> None:
        """Adds a reading. Raises BenchError where the server's metrics do not answer."""
        at = time.perf_counter()
        other = self._others.cores() * (time.perf_counter() - self._started)
        self.readings.append(Reading(at, scrape(self._triton.metrics_url), self._processes.cpu_seconds(), other))

    def until_end_of(self, process: "Popen[bytes]") -> None:
        """Returns when a process has ended."""
        # Once it is gone its processor time counts as others': the last reading must come before.
        while process.poll() is None:
            self.read()
            time.sleep(_INTERVAL_S)


def use_between(readings: Sequence[Reading], start: float, end: float) -> ServerUse:
    """From the first reading within two times to the last. Raises LoadError where there are not two."""
    within = [reading for reading in readings if start <= reading.at <= end]
    if len(within) < 2:
        raise LoadError(
            f"{end - start:.1f} s are too short to see what the server does; take {4 * _INTERVAL_S:g} or more"
        )
    first, last = within[0], within[-1]
    seconds = last.at - first.at
    return ServerUse(
        server_cores=(last.server_cpu - first.server_cpu) / seconds,
        other_cores=max(0.0, last.other_cpu - first.other_cpu) / seconds,
        batch=achieved_batches(last.metrics.since(first.metrics)),
    )


def cores() -> int:
    """Those that server and load generator share."""
    return len(os.sched_getaffinity(0))
