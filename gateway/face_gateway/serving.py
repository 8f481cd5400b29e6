"""A gateway in the foreground: uvicorn with our limits, and what it says when it is ready."""

from __future__ import annotations

import logging
import signal
import socket
import sys
import warnings
import webbrowser
from dataclasses import dataclass
from types import FrameType

import uvicorn

from face_client import AsyncFaceClient, Tls
from face_gallery import AsyncGallery
from face_gateway.app import make_app
from face_gateway.memory import keep_memory
from face_gateway.protocol import protocol_with
from face_gateway.record import Record
from face_gateway.settings import Settings, is_loopback

_EXIT_OK = 0

# What is in flight when it is stopped has so long.
_GRACE_S = 30


@dataclass(frozen=True)
class Options:
    """How it is served. url, timeout, tls: of the server that is asked. open: a browser, with this after the `#`; None:
    none. log: one of `record.LOG_FORMATS`. trace: the collector of spans."""

    url: str
    timeout: float
    tls: Tls | None
    port: int
    https_cert: str | None
    https_key: str | None
    open: str | None
    log: str
    trace: str | None


def serve(settings: Settings, options: Options) -> int:
    """Until a signal; returns the exit status. Raises FaceError, OSError where it cannot start."""
    keep_memory()
    if options.trace is not None:
        from face_gateway.tracing import send_spans_to

        send_spans_to(options.trace)
    _quieten_libraries()
    listener = _listener(settings.host, options.port)
    client = AsyncFaceClient(options.url, timeout=options.timeout, tls=options.tls)
    gallery = (
        None
        if settings.gallery is None
        else AsyncGallery(client, settings.gallery, random_weights=settings.random_weights)
    )
    record = Record(options.log)
    config = uvicorn.Config(
        make_app(settings, client, gallery, record),
        http=protocol_with(settings.limits, record),
        ws="none",
        # What callers do wrong is no warning of ours: the record has it, or nobody.
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=options.https_cert,
        ssl_keyfile=options.https_key,
    )
    server = _Server(config, _address(listener, settings, options), options)
    server.run(sockets=[listener])
    return _EXIT_OK


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, address: str, options: Options) -> None:
        super().__init__(config)
        self._address = address
        self._options = options

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 the signal's
        """Unlike uvicorn's, which then ends the process by the signal once more: it ends as one that was stopped."""
        # Who presses Ctrl-C twice does not want to wait.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.started:
            return
        print(f"page     {self._address}/", file=sys.stderr)
        print(f"API      {self._address}/docs", file=sys.stderr)
        print("ready", file=sys.stderr, flush=True)
        if self._options.open is not None:
            page = f"{self._address}/{'#' if self._options.open else ''}{self._options.open}"
            if not webbrowser.open(page):
                print(f"no browser could be started: open {page}", file=sys.stderr, flush=True)


def _quieten_libraries() -> None:
    """They would write pieces of what callers send, for each bad request."""
    for name in ("python_multipart", "opentelemetry.baggage"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="PIL")


def _listener(host: str, port: int) -> socket.socket:
    """Raises OSError, which names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        # Python's own words name the address too, in brackets.
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise OSError(f"cannot listen on {host}:{port}: {reason}") from error
    # Connections have it from here. asyncio sets it only where a socket names its protocol, and without it an answer's
    # body waits until the caller's system has acknowledged the header: 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _address(listener: socket.socket, settings: Settings, options: Options) -> str:
    """As a browser on this machine calls it."""
    host, port = listener.getsockname()[:2]
    if not is_loopback(settings.host):
        host = settings.allowed_hosts[0] if settings.allowed_hosts else host
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    scheme = "https" if options.https_cert else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host and host[0] != '[' else host}:{port}"
