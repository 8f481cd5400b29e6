"""What an instance of `mtcnn` tells of each execution: lines in the log, metrics, spans.

docs/observability.md has all of them in tables.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from face_cascade.networks import STAGES
from face_runtime.answers import CALLERS, CANCELLED, MEMORY, NETWORK, Outcome
from face_runtime.log import Log
from face_runtime.metrics import Counter, Histogram, ProcessMetrics
from face_runtime.record import Record
from face_runtime.spans import OTHER, stage_spans


class Observer:
    """Of one instance. `log_executions`: one line for each batch; errors have theirs in any case.

    Reports from a thread of its own: some 25 calls of Triton's process, 1 ms in all, that no caller should wait for.
    """

    def __init__(self, worker: str, log: Log, log_executions: bool) -> None:
        self._log = log
        self._log_executions = log_executions
        self._metrics = Metrics()
        self._process = ProcessMetrics(worker)
        self._spans = stage_spans(worker, log)
        self._reporter = ThreadPoolExecutor(1, "observer")
        self._reported: Future[None] = self._reporter.submit(lambda: None)

    def executed(self, requests: Sequence[Outcome], record: Record) -> None:
        """Has one batch reported, when all of its requests have their outcome. Waits for no more than the report of the
        batch before; raises what was wrong with that."""
        before, self._reported = self._reported, self._reporter.submit(self._report, requests, record)
        before.result()

    def _report(self, requests: Sequence[Outcome], record: Record) -> None:
        self._metrics.add(record)
        self._process.update()
        for request in requests:
            if request.refusal:
                self._metrics.refuse(request.refusal.reason)
                self._log.refused(request)
        if self._log_executions and record.images:
            self._log.info("executed", **_summary(requests, record))
        if self._spans:
            self._spans.export(requests, record.images, record.stage_times)

    def close(self) -> None:
        """Tells what has not been told yet."""
        self._reporter.shutdown()
        if self._spans:
            self._spans.close()


def _summary(requests: Sequence[Outcome], record: Record) -> dict[str, Any]:
    stages = {name: round(seconds, 6) for name, seconds in record.stage_seconds.items()}
    return {
        "requests": len(requests),
        "images": record.images,
        "faces": sum(record.faces),
        "rows": dict(record.rows),
        "seconds": round(sum(stages.values()), 6),
        "stages": stages,
        "ids": [request.id for request in requests if request.id],
    }


_NETWORKS = tuple(network.name for network in STAGES)

# PNet's boxes go through an NMS of their own before RNet sees them.
_STAGES = ("decode", "integral", _NETWORKS[0], "nms", *_NETWORKS[1:], OTHER, "answer")

# From a small image's stage on a GPU to the largest batch on two cores.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_BATCH = (1, 2, 3, 4, 6, 8, 12, 16)
_FACES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """What this instance reports, beside Triton's own on its metrics port."""

    def __init__(self) -> None:
        self._stage = Histogram(
            "mtcnn_stage_seconds", "Seconds on the clock in each stage of an execution", _SECONDS, "stage", _STAGES
        )
        self._batch = Histogram("mtcnn_batch_images", "Images searched for faces in one execution", _BATCH)
        self._faces = Histogram("mtcnn_image_faces", "Faces returned of one image", _FACES)
        self._work = Counter(
            "mtcnn_work_seconds_total", "Seconds inside each network, summed over threads", "work", _NETWORKS
        )
        self._rows = Counter(
            "mtcnn_rows_total", "Rows sent through each network: tiles, candidates, candidates", "network", _NETWORKS
        )
        self._candidates = Counter("mtcnn_candidates_total", "Boxes that each stage left", "stage", _NETWORKS)
        self._dropped = Counter("mtcnn_candidates_dropped_total", "Candidates beyond their callers' max_candidates")
        reasons = (*CALLERS, NETWORK, MEMORY, CANCELLED)
        self._refused = Counter("mtcnn_refused_requests_total", "Requests answered with an error", "reason", reasons)

    def add(self, record: Record) -> None:
        """Adds one execution."""
        if record.images:
            for stage, seconds in record.stage_seconds.items():
                self._stage.observe(seconds, stage)
            self._batch.observe(record.images)
        for faces in record.faces:
            self._faces.observe(faces)
        for counter, values in (
            (self._work, record.work_seconds),
            (self._rows, record.rows),
            (self._candidates, record.candidates),
        ):
            for name, value in values.items():
                counter.add(value, name)
        self._dropped.add(record.dropped)

    def refuse(self, reason: str) -> None:
        """Counts one request that got an error."""
        self._refused.add(1, reason)
