"""The cascade's stages as OpenTelemetry spans, for requests that Triton traces.

Off unless the environment names an OTLP endpoint in OpenTelemetry's own variable. Triton itself writes spans for the
request, for the model and, where the networks are models of their own, for each of those; these go below the model's.
"""

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from face_server.environment import SERVICE_NAME, TRACE_VARIABLE
from face_server.runtime.log import Log, request_id
from face_server.runtime.record import OTHER, Record

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


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
