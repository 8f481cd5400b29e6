"""OpenTelemetry, for programs that use it: a span around each call, and headers that join the server's spans to it.

Needs no package: a program that traces has loaded OpenTelemetry itself. In every other one nothing happens here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def call_span(model: str, request_id: str) -> Iterator[dict[str, str]]:
    """A span around a call to a model; gives the W3C headers to send with it, none where nobody traces."""
    if "opentelemetry.trace" not in sys.modules:
        yield {}
        return
    # Loaded already, and not for us to load.
    from opentelemetry import propagate, trace

    attributes = {"faces.model": model, "faces.request_id": request_id}
    tracer = trace.get_tracer("face_client")
    with tracer.start_as_current_span(f"infer {model}", kind=trace.SpanKind.CLIENT, attributes=attributes):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        yield headers
