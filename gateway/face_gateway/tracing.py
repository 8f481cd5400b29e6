"""Traces: a caller's goes on to the server, with a span of the gateway's own in between where spans are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers

from face_gateway.record import Done

SERVICE_NAME = "face_gateway"


_TRACE_CONTEXT = TraceContextTextMapPropagator()


@contextmanager
def trace_of(headers: Headers, method: str) -> Iterator[trace.Span]:
    """Within it, calls of the client belong to the trace that the request's `traceparent` names, if any. Nothing else
    of the caller's goes on: no `baggage`."""
    token = context.attach(_TRACE_CONTEXT.extract(headers))
    try:
        with trace.get_tracer(SERVICE_NAME).start_as_current_span(method, kind=trace.SpanKind.SERVER) as span:
            yield span
    finally:
        context.detach(token)


def describe(span: trace.Span, done: Done) -> None:
    """What became of the request."""
    span.update_name(f"{done.method} {done.route}")
    span.set_attribute("http.request.method", done.method)
    span.set_attribute("http.route", done.route)
    span.set_attribute("http.response.status_code", done.status)
    span.set_attribute("faces.request_id", done.request_id)
    if done.status >= 500:
        span.set_status(trace.StatusCode.ERROR)


def send_spans_to(collector: str) -> None:
    """Write spans, to an OTLP/HTTP collector such as http://127.0.0.1:4318. Raises ImportError without the extra."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
