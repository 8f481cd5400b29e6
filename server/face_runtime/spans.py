"""The stages of an execution: on the clock, and as spans in the traces of its requests."""

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from face_runtime.answers import Outcome
from face_runtime.log import Log
from face_runtime.settings import SERVICE_NAME, TRACE_VARIABLE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

OTHER = "other"
"""The stage of what is computed between the named stages."""

Stage: TypeAlias = tuple[str, int, int]
"""Name, start and end, in nanoseconds since 1970."""


class Stages:
    """Of one execution, in order; one may come more than once."""

    def __init__(self) -> None:
        self.stage_times: list[Stage] = []
        # The clock of the day may jump in the middle of a stage; the other does not.
        self._to_epoch = time.time_ns() - time.perf_counter_ns()

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds on the clock by stage."""
        seconds: dict[str, float] = defaultdict(float)
        for name, start, end in self.stage_times:
            seconds[name] += (end - start) / 1e9
        return seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter_ns()
        try:
            yield
        finally:
            end = time.perf_counter_ns()
            self.stage_times.append((name, start + self._to_epoch, end + self._to_epoch))


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
    """The stages of executions as OpenTelemetry spans, of requests that Triton traces; written after each.

    Triton itself writes spans for the request, for the model and, where the networks are models of their own, for each
    of those; these go below the model's. A stage works for all requests of the batch at once, so it appears in the
    trace of each.
    """

    def __init__(self, provider: "TracerProvider", extract: Callable[[dict[str, str]], Any]) -> None:
        self._provider = provider
        self._extract = extract
        self._tracer = provider.get_tracer("face_server")

    def export(self, requests: Sequence[Outcome], images: int, stages: Sequence[Stage]) -> None:
        for request in requests:
            carrier = json.loads(request.trace or "{}")
            if carrier:
                attributes: dict[str, str | int] = {
                    "faces.request_id": request.id,
                    "faces.batch_requests": len(requests),
                    "faces.batch_images": images,
                }
                self._export_one(carrier, attributes, stages)

    def _export_one(self, carrier: dict[str, str], attributes: dict[str, str | int], stages: Sequence[Stage]) -> None:
        parent = self._extract(carrier)
        for name, start, end in stages:
            if name != OTHER:
                span = self._tracer.start_span(name, context=parent, attributes=attributes, start_time=start)
                span.end(end_time=end)

    def close(self) -> None:
        self._provider.shutdown()
