"""What an instance of `mtcnn` tells of each execution: lines in the log, metrics, spans.

docs/observability.md has all of them in tables.
"""

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from face_cascade.networks import STAGES
from face_runtime.answers import CALLERS, CANCELLED, MEMORY, NETWORK, Request
from face_runtime.log import Log
from face_runtime.metrics import Counter, Histogram, ProcessMetrics
from face_runtime.record import OTHER, Record
from face_runtime.settings import SERVICE_NAME, TRACE_VARIABLE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class Observer:
    """Of one instance. `log_executions`: one line for each batch; errors have theirs in any case."""

    def __init__(self, worker: str, log: Log, log_executions: bool) -> None:
        self._log = log
        self._log_executions = log_executions
        self._metrics = Metrics()
        self._process = ProcessMetrics(worker)
        self._spans = stage_spans(worker, log)

    def executed(self, requests: Sequence[Request], record: Record) -> None:
        """Reports one batch, when all of its requests have their outcome."""
        self._metrics.add(record)
        self._process.update()
        for request in requests:
            if request.refusal:
                self._metrics.refuse(request.refusal.reason)
                self._log.refused(request)
        if self._log_executions and record.images:
            self._log.info("executed", **_summary(requests, record))
        if self._spans:
            self._spans.export(requests, record)

    def close(self) -> None:
        """Sends what has not been sent yet."""
        if self._spans:
            self._spans.close()


def _summary(requests: Sequence[Request], record: Record) -> dict[str, Any]:
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


def _ids(requests: Sequence[Request]) -> list[str]:
    return [request.id for request in requests if request.id]


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


def stage_spans(worker: str, log: Log) -> "StageSpans | None":
    """A writer of spans; None where none are asked for, or nothing is there to write them with.

    They are off unless the environment names an OTLP endpoint in OpenTelemetry's own variable.
    """
    if not os.environ.get(TRACE_VARIABLE):
        return None
    try:
        # Imported here: an extra, and nothing that a server without tracing should load.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        log.warning("untraced", message="no spans of the stages: the extra tracing is not installed")
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME, "service.instance.id": worker}))
    # Sends from a thread of its own, and drops spans when nobody takes them.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return StageSpans(provider, TraceContextTextMapPropagator().extract)


class StageSpans:
    """The cascade's stages as OpenTelemetry spans, of requests that Triton traces; written after an execution.

    Triton itself writes spans for the request, for the model and, where the networks are models of their own, for each
    of those; these go below the model's. A stage works for all requests of the batch at once, so it appears in the
    trace of each.
    """

    def __init__(self, provider: "TracerProvider", extract: Callable[[dict[str, str]], Any]) -> None:
        self._provider = provider
        self._extract = extract
        self._tracer = provider.get_tracer("face_server")

    def export(self, requests: Sequence[Request], record: Record) -> None:
        for request in requests:
            # The W3C headers of the span that Triton made for the request; empty where it traces none.
            carrier = json.loads(request.triton.trace().get_context() or "{}")
            if carrier:
                self._export_one(dict(carrier), request.id, len(requests), record)

    def _export_one(self, carrier: dict[str, str], request: str, batch: int, record: Record) -> None:
        parent = self._extract(carrier)
        attributes: dict[str, str | int] = {
            "faces.request_id": request,
            "faces.batch_requests": batch,
            "faces.batch_images": record.images,
        }
        for name, start, end in record.stage_times:
            if name != OTHER:
                span = self._tracer.start_span(name, context=parent, attributes=attributes, start_time=start)
                span.end(end_time=end)

    def close(self) -> None:
        self._provider.shutdown()
