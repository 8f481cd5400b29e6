"""What an instance of `mtcnn` tells of each execution: metrics, lines in the log, spans."""

from collections.abc import Sequence
from typing import Any

from face_cascade.networks import ONET, PNET, RNET
from face_runtime.answers import CANCELLED, OURS, REASONS, Refused
from face_runtime.log import Log, request_id
from face_runtime.metrics import Counter, Histogram, ProcessMetrics
from face_runtime.record import OTHER, Record, stage_spans

# The metrics of model `mtcnn`, beside Triton's own on its metrics port. docs/observability.md has them in a table.


_NETWORKS = tuple(network.name for network in (PNET, RNET, ONET))

STAGES = ("decode", "integral", "pnet", "nms", "rnet", "onet", OTHER, "answer")

# From a small image's stage on a GPU to the largest batch on two cores.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

_BATCH = (1, 2, 3, 4, 6, 8, 12, 16)
_FACES = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """What this instance of `mtcnn` reports."""

    def __init__(self) -> None:
        self._stage = Histogram(
            "mtcnn_stage_seconds", "Seconds on the clock in each stage of an execution", _SECONDS, "stage", STAGES
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
        self._dropped = Counter("mtcnn_candidates_dropped_total", "Candidates beyond the limit of an image")
        self._refused = Counter("mtcnn_refused_requests_total", "Requests answered with an error", "reason", REASONS)

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


class Observer:
    """Of one instance. `log_executions`: one line for each batch; errors have theirs in any case."""

    def __init__(self, worker: str, log_executions: bool, max_candidates: int) -> None:
        self._log = Log("mtcnn", worker)
        self._log_executions = log_executions
        self._max_candidates = max_candidates
        self._metrics = Metrics()
        self._process = ProcessMetrics(worker)
        self._spans = stage_spans(worker, self._log)

    def executed(self, requests: Sequence[Any], outcomes: Sequence[Any], record: Record) -> None:
        """Reports one batch. outcomes: a response or `Refused` for each request."""
        self._metrics.add(record)
        self._process.update()
        for request, outcome in zip(requests, outcomes, strict=True):
            if isinstance(outcome, Refused):
                self._refused(request, outcome)
        if record.dropped:
            self._log.warning("dropped", candidates=record.dropped, limit=self._max_candidates, ids=_ids(requests))
        if self._log_executions and record.images:
            self._log.info("executed", **_summary(requests, record))
        if self._spans:
            self._spans.export(requests, record)

    def _refused(self, request: Any, refused: Refused) -> None:
        self._metrics.refuse(refused.reason)
        level = self._log.error if refused.reason in OURS else self._log.warning
        if refused.reason == CANCELLED:
            level = self._log.info
        # The sentence that the caller got: it shows values of parameters, never pixels.
        level("refused", reason=refused.reason, message=str(refused), id=request_id(request))

    def close(self) -> None:
        """Sends what has not been sent yet."""
        if self._spans:
            self._spans.close()


def _summary(requests: Sequence[Any], record: Record) -> dict[str, Any]:
    stages = {name: round(seconds, 6) for name, seconds in record.stage_seconds.items()}
    return {
        "requests": len(requests),
        "images": record.images,
        "faces": sum(record.faces),
        "rows": dict(record.rows),
        "seconds": round(sum(stages.values()), 6),
        "stages": stages,
        "ids": _ids(requests),
    }


def _ids(requests: Sequence[Any]) -> list[str]:
    return [given for request in requests if (given := request_id(request))]
