"""What a gateway tells of its requests: a line each in the log, and metrics. No picture, no query, no person's name."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

LOG_FORMATS = ("text", "json", "none")

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
OF_OPERATORS = ("/health", "/health/live", "/health/ready", "/metrics")
"""Asked all the time by machines that go by addresses. They have no line in the log, and nothing that is worth a page's
trick."""


@dataclass(frozen=True)
class Done:
    """A request that was answered. method, route: `none` of what was refused before they were known. route: as paths
    are declared, so that no name of a person is in it. bytes: of its body. key: the name of its API key."""

    method: str
    route: str
    status: int
    seconds: float
    pictures: int
    bytes: int
    request_id: str
    key: str | None


class Record:
    """Of one gateway. log: the format of its lines, one of LOG_FORMATS."""

    def __init__(self, log: str = "none") -> None:
        self._log = log
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "face_gateway_requests", "Requests answered", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "face_gateway_request_seconds",
            "Seconds from a request's header to the end of its answer",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._pictures = Counter("face_gateway_pictures", "Pictures received", registry=self.registry)
        self._bytes = Counter("face_gateway_received_bytes", "Bytes of bodies received", registry=self.registry)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A metric, and whom to ask for its value."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def warn(self, message: str) -> None:
        """Of what is wrong with the gateway itself: written even where there is no log."""
        line = _json("warning", message, {}) if self._log == "json" else f"warning: {message}"
        print(line, file=sys.stderr, flush=True)

    def done(self, request: Done) -> None:
        """Counts it, and writes its line."""
        self._requests.labels(request.method, request.route, str(request.status)).inc()
        self._seconds.labels(request.route).observe(request.seconds)
        self._pictures.inc(request.pictures)
        self._bytes.inc(request.bytes)
        if self._log == "none" or request.route in OF_OPERATORS:
            return
        if self._log == "json":
            fields = {name: value for name, value in asdict(request).items() if value is not None}
            line = _json("info", "answered", {**fields, "seconds": round(request.seconds, 6)})
        else:
            line = _text(request)
        print(line, file=sys.stderr, flush=True)

    def metrics(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


def _json(level: str, message: str, fields: Mapping[str, object]) -> str:
    time = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": time, "level": level, "message": message, **fields})


def _text(request: Done) -> str:
    key = f" key={request.key}" if request.key else ""
    return (
        f"{request.method} {request.route} {request.status} {request.seconds * 1000:.0f} ms "
        f"pictures={request.pictures} bytes={request.bytes}{key} id={request.request_id}"
    )
