"""What one execution of the cascade did: counts and times, and its stages as OpenTelemetry spans."""

import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from face_cascade import Call, Detection, Flow, Together
from face_cascade.calls import Outputs
from face_runtime.log import Log, request_id
from face_runtime.settings import SERVICE_NAME, TRACE_VARIABLE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


# What one execution of the cascade did. Whoever reports it (metrics, log, spans) reads it from here.


T = TypeVar("T")

OTHER = "other"
"""The stage of what the cascade computes between its named stages."""


class Record:
    """Counts and times of one execution.

    work_seconds: inside each network, summed over threads. rows: sent through each network. candidates: boxes that each
    stage left. faces: of each image. dropped: candidates beyond the limit.
    """

    def __init__(self) -> None:
        self.work_seconds: dict[str, float] = defaultdict(float)
        self.rows: dict[str, int] = defaultdict(int)
        self.candidates: dict[str, int] = defaultdict(int)
        self.faces: list[int] = []
        self.dropped = 0
        self.stage_times: list[tuple[str, int, int]] = []
        """Name, start and end of each stage in order, in nanoseconds since 1970. A stage may come more than once."""
        self._lock = threading.Lock()
        # The clock of the day may jump in the middle of a stage; the other does not.
        self._to_epoch = time.time_ns() - time.perf_counter_ns()

    @property
    def images(self) -> int:
        return len(self.faces)

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

    def stages(self, flow: Flow[T]) -> Flow[T]:
        """The flow itself, its stages timed; what it computes between them counts as `other`."""
        with self.stage(OTHER):
            step: Call | Together | None = next(flow, None)
        while step is not None:
            assert isinstance(step, Together)
            with self.stage(step.stage):
                result = yield step
            try:
                with self.stage(OTHER):
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

    def found(self, detections: Sequence[Detection]) -> None:
        """Counts what the cascade found, one detection an image."""
        for detection in detections:
            self.faces.append(len(detection.boxes))
            self.dropped += detection.candidates_dropped
            for stage, count in detection.stage_counts.items():
                self.candidates[stage] += count


# The cascade's stages as OpenTelemetry spans, for requests that Triton traces.

# Off unless the environment names an OTLP endpoint in OpenTelemetry's own variable. Triton itself writes spans for the
# request, for the model and, where the networks are models of their own, for each of those; these go below the model's.


def stage_spans(worker: str, log: Log) -> "StageSpans | None":
    """A writer of spans; None where none are asked for, or nothing is there to write them with."""
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
        log.warning("untraced", message="no spans of the stages: pip install 'triton-faces[tracing]'")
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME, "service.instance.id": worker}))
    # Sends from a thread of its own, and drops spans when nobody takes them.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return StageSpans(provider, TraceContextTextMapPropagator().extract)


class StageSpans:
    """Writes spans after an execution, from its record. A stage works for all requests of the batch at once, so it
    appears in the trace of each."""

    def __init__(self, provider: "TracerProvider", extract: Callable[[dict[str, str]], Any]) -> None:
        self._provider = provider
        self._extract = extract
        self._tracer = provider.get_tracer("face_server")

    def export(self, requests: Sequence[Any], record: Record) -> None:
        for request in requests:
            carrier = trace_context(request)
            if carrier:
                self._export_one(carrier, request_id(request), len(requests), record)

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


def trace_context(request: Any) -> dict[str, str]:
    """The W3C headers of the span that Triton made for a request; empty where it traces none."""
    return dict(json.loads(request.trace().get_context() or "{}"))
