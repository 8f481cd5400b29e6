"""The process of a model's instance, as metrics: Triton reports the memory of the machine, not of its stubs."""

import os
import time
from pathlib import Path

from face_server.runtime.families import Gauge

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessMetrics:
    """Start and memory of this process. `worker` is Triton's name of the instance, such as `mtcnn_0_1`.

    A start that changes is a process that died: Triton, or whoever supervises it, made a new one.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        started = Gauge("faces_worker_start_time_seconds", "When a model's process started, in Unix time", "worker")
        started.set(time.time(), worker)
        self._started = started
        self._next = 0.0
        self._memory = Gauge("faces_worker_resident_bytes", "Resident memory of a model's process", "worker")
        self.update()

    def update(self) -> None:
        """Reads the memory again; at most once a second, since a file takes longer to read than a metric to set."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 1
        resident_pages = int(_STATM.read_text().split()[1])
        self._memory.set(resident_pages * _PAGE_BYTES, self._worker)
