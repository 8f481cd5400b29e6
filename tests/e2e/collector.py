"""An OpenTelemetry collector in a thread: takes spans by OTLP over HTTP, as JSON (Triton) or protobuf (Python)."""

import base64
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """Ids in hexadecimal, times in nanoseconds since 1970."""

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: dict[str, object]
    service: str


@dataclass
class Collector:
    """What has arrived so far."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def wait_for(self, found: Callable[[list[Span]], bool], seconds: float = 30) -> list[Span]:
        """All spans, once `found` of them; Triton and the SDK send every five seconds. Fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while not found(self.spans):
            assert time.monotonic() < deadline, [(span.name, span.attributes) for span in self.spans]
            time.sleep(0.2)
        return list(self.spans)

    def below(self, span: Span) -> list[Span]:
        """The children, by their start."""
        children = [s for s in self.spans if (s.trace, s.parent) == (span.trace, span.id)]
        return sorted(children, key=lambda s: s.start)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector at a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.paths.add(self.path)
            collector.spans += _spans(body, self.headers["Content-Type"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


def _spans(body: bytes, kind: str) -> list[Span]:
    if "json" in kind:
        message = json_format.Parse(
            _ids_in_base64(body.decode()), ExportTraceServiceRequest(), ignore_unknown_fields=True
        )
    else:
        message = ExportTraceServiceRequest.FromString(body)
    return [
        Span(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            _values(span.attributes),
            str(_values(resource.resource.attributes)["service.name"]),
        )
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes) -> dict[str, object]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in attributes}


def _ids_in_base64(text: str) -> str:
    """OTLP's JSON has ids in hexadecimal, where protobuf's own JSON has base64."""
    return _HEX_ID.sub(lambda found: f'{found[1]}"{base64.b64encode(bytes.fromhex(found[2])).decode()}"', text)


_HEX_ID = re.compile(r'("(?:traceId|spanId|parentSpanId)":\s*)"([0-9a-fA-F]*)"')
