"""Families of metrics on Triton's metrics port, and what an instance tells of its own process.

Each instance of a model is a process of its own; what they report under one name with the same labels Triton adds up
(gauges: the latest stands). A metric is made when its label's value is first seen, or at once where the values are
given: a counter that first appears with its first event has no rate over it.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils


class _Family:
    """Metrics of one name, one for each value of the label if there is a label."""

    def __init__(self, kind: Any, name: str, description: str, label: str = "", values: Sequence[str] = ()) -> None:
        # Kept: Triton ends the metrics of a family that is gone.
        self._family = pb_utils.MetricFamily(name=name, description=description, kind=kind)
        self._label = label
        self._metrics: dict[str, Any] = {}
        for value in values if label else ("",):
            self._of(value)

    def _of(self, value: str) -> Any:
        if value not in self._metrics:
            self._metrics[value] = self._make({self._label: value} if self._label else {})
        return self._metrics[value]

    def _make(self, labels: dict[str, str]) -> Any:
        return self._family.Metric(labels=labels)


class Counter(_Family):
    """What only grows."""

    def __init__(self, name: str, description: str, label: str = "", values: Sequence[str] = ()) -> None:
        super().__init__(pb_utils.MetricFamily.COUNTER, name, description, label, values)

    def add(self, value: float, of: str = "") -> None:
        # Each call takes 12 to 40 µs, most of it on the way to Triton's process.
        if value:
            self._of(of).increment(value)


class Gauge(_Family):
    """What goes up and down."""

    def __init__(self, name: str, description: str, label: str = "", values: Sequence[str] = ()) -> None:
        super().__init__(pb_utils.MetricFamily.GAUGE, name, description, label, values)

    def set(self, value: float, of: str = "") -> None:
        self._of(of).set(value)


class Histogram(_Family):
    """How often what was seen is at most each of `buckets`, ascending; `+Inf` is added. With it come sum and count."""

    def __init__(
        self,
        name: str,
        description: str,
        buckets: Sequence[float],
        label: str = "",
        values: Sequence[str] = (),
    ) -> None:
        self._buckets = [float(bucket) for bucket in buckets]
        super().__init__(pb_utils.MetricFamily.HISTOGRAM, name, description, label, values)

    def observe(self, value: float, of: str = "") -> None:
        self._of(of).observe(value)

    def _make(self, labels: dict[str, str]) -> Any:
        return self._family.Metric(labels=labels, buckets=self._buckets)


_STATM = Path("/proc/self/statm")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ProcessMetrics:
    """Start and memory of this process: Triton reports the memory of the machine, not of its stubs.

    worker: Triton's name of the instance, such as `mtcnn_0_1`. A start that changes is a process that died:
    Triton, or whoever supervises it, made a new one.
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
