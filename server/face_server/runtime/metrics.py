"""Where the time of the cascade goes: recorded for each execution, added to counters on Triton's metrics port."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import triton_python_backend_utils as pb_utils

from face_cascade import Call, Flow, Together
from face_cascade.calls import Outputs

T = TypeVar("T")


class Record:
    """What one execution did: seconds on the clock by stage, seconds inside networks summed over threads, rows."""

    def __init__(self) -> None:
        self.stage_seconds: dict[str, float] = defaultdict(float)
        self.work_seconds: dict[str, float] = defaultdict(float)
        self.rows: dict[str, int] = defaultdict(int)
        self.images = 0
        self.dropped = 0
        self._lock = threading.Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stage_seconds[name] += time.perf_counter() - start

    def stages(self, flow: Flow[T]) -> Flow[T]:
        """The flow itself, its stages timed; what it computes between them counts as `other`."""
        with self.stage("other"):
            step: Call | Together | None = next(flow, None)
        while step is not None:
            assert isinstance(step, Together)
            with self.stage(step.stage):
                result = yield step
            try:
                with self.stage("other"):
                    step = flow.send(result)
            except StopIteration as end:
                value: T = end.value
                return value
        raise RuntimeError("the cascade has at least one stage")

    def calls(self, run: Callable[[Call], Outputs]) -> Callable[[Call], Outputs]:
        """`run`, counted; called from many threads."""

        def counted(call: Call) -> Outputs:
            start = time.perf_counter()
            outputs = run(call)
            seconds = time.perf_counter() - start
            with self._lock:
                self.work_seconds[call.network.name] += seconds
                self.rows[call.network.name] += len(call.batch)
            return outputs

        return counted


class Metrics:
    """Counters of this model instance."""

    def __init__(self) -> None:
        self._stage = _Counter("mtcnn_stage_seconds_total", "Seconds on the clock in each stage", "stage")
        self._work = _Counter("mtcnn_work_seconds_total", "Seconds inside each network, summed over threads", "work")
        self._rows = _Counter("mtcnn_rows_total", "Rows sent through each network", "network")
        self._images = _Counter("mtcnn_images_total", "Images searched for faces")
        self._executions = _Counter("mtcnn_executions_total", "Batches of requests")
        self._dropped = _Counter("mtcnn_candidates_dropped_total", "Candidates beyond the limit")

    def add(self, record: Record) -> None:
        for counter, values in (
            (self._stage, record.stage_seconds),
            (self._work, record.work_seconds),
            (self._rows, record.rows),
        ):
            for name, value in values.items():
                counter.add(value, name)
        self._images.add(record.images)
        self._executions.add(1)
        self._dropped.add(record.dropped)


class _Counter:
    """A counter of Triton's, one for each value of its label if it has one."""

    def __init__(self, name: str, description: str, label: str = "") -> None:
        # Kept: Triton ends the metrics of a family that is gone.
        self._family = pb_utils.MetricFamily(name=name, description=description, kind=pb_utils.MetricFamily.COUNTER)
        self._label = label
        self._metrics: dict[str, Any] = {}

    def add(self, value: float, of: str = "") -> None:
        if of not in self._metrics:
            self._metrics[of] = self._family.Metric(labels={self._label: of} if self._label else {})
        self._metrics[of].increment(value)
