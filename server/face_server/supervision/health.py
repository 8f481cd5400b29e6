"""What a load balancer may ask: whether the server answers, and whether this process lives.

GET /health/ready   200 while the last canary was answered in time, else 503
GET /health/live    200 as long as `faces serve` runs, also while it restarts Triton
GET /metrics        the same in Prometheus' text format
"""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from face_server.errors import SetupError
from face_server.ports import to_reach


@dataclass
class Health:
    """What the supervisor knows. Written by one thread, read by many: each value alone is always whole."""

    good_for: float
    """Seconds that the answer to a canary counts."""
    state: str = "starting"
    answered: float | None = None
    """When a canary was last answered, on the monotonic clock."""
    canary_seconds: float = 0.0
    """How long the last answer took."""
    canaries_failed: int = 0
    renewals: int = 0
    restarts: int = 0
    since: float = field(default_factory=time.time)

    def is_ready(self) -> bool:
        answered = self.answered
        return answered is not None and time.monotonic() - answered <= self.good_for

    def passed(self, seconds: float, state: str = "ready") -> None:
        self.answered, self.canary_seconds, self.state = time.monotonic(), seconds, state

    def failed(self, state: str) -> None:
        self.answered, self.state = None, state

    def report(self) -> dict[str, Any]:
        return {
            "ready": self.is_ready(),
            "state": self.state,
            "canary_seconds": round(self.canary_seconds, 4),
            "canaries_failed": self.canaries_failed,
            "instances_renewed": self.renewals,
            "server_restarts": self.restarts,
        }

    def metrics(self) -> str:
        """Prometheus' text format."""
        rows = (
            ("faces_ready", "gauge", "1 while the last canary was answered in time", int(self.is_ready())),
            ("faces_canary_seconds", "gauge", "Seconds that the last canary took", self.canary_seconds),
            ("faces_canaries_failed_total", "counter", "Canaries without an answer", self.canaries_failed),
            ("faces_instances_renewed_total", "counter", "Dead model instances replaced", self.renewals),
            ("faces_server_restarts_total", "counter", "Restarts of Triton", self.restarts),
            ("faces_start_time_seconds", "gauge", "When this process started, in Unix time", self.since),
        )
        return "".join(f"# HELP {n} {what}\n# TYPE {n} {kind}\n{n} {value}\n" for n, kind, what, value in rows)


class HealthServer:
    """Answers for one Health, in threads of its own.

    Raises SetupError where it cannot listen.
    """

    def __init__(self, health: Health, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"health": health})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise SetupError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        self.url = f"http://{to_reach(host)}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    # A caller that says nothing must not keep a thread for ever.
    timeout = 10

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/health/ready":
                self._send(200 if self.health.is_ready() else 503, "application/json", self._report())
            case "/health/live":
                self._send(200, "application/json", self._report())
            case "/metrics":
                self._send(200, "text/plain; version=0.0.4", self.health.metrics())
            case _:
                self._send(404, "text/plain", "there are /health/ready, /health/live and /metrics\n")

    do_HEAD = do_GET  # noqa: N815 http.server's

    def _report(self) -> str:
        return json.dumps(self.health.report()) + "\n"

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing: a load balancer asks every second."""
