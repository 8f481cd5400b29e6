"""What an instance of `mtcnn` tells of each execution: metrics, lines in the log, spans."""

from collections.abc import Sequence
from typing import Any

from face_server.runtime.log import Log, request_id
from face_server.runtime.metrics import Metrics
from face_server.runtime.process import ProcessMetrics
from face_server.runtime.record import Record
from face_server.runtime.refusals import CANCELLED, OURS, Refused
from face_server.runtime.spans import stage_spans


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
