"""Traces: a caller's goes on to the server, with a span of the gateway's own in between where spans are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, propagate, trace
from starlette.datastructures import Headers
from starlette.types import Scope

SERVICE_NAME = "face_gateway"


@contextmanager
def trace_of(headers: Headers, scope: Scope) -> Iterator[None]:
    """Within it, calls of the client belong to the trace that the request's `traceparent` names, if any."""
    token = context.attach(propagate.extract(headers))
    try:
        tracer = trace.get_tracer(SERVICE_NAME)
        with tracer.start_as_current_span(scope["method"], kind=trace.SpanKind.SERVER) as span:
            yield
            if span.is_recording():
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.request.method", scope["method"])
                span.set_attribute("http.route", route)
                span.set_attribute("faces.request_id", scope["state"]["request_id"])
    finally:
        context.detach(token)


def send_spans_to(collector: str) -> None:
    """Write spans, to an OTLP/HTTP collector such as http://127.0.0.1:4318. Raises ImportError without the extra."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
