"""Settings of the embedded server, and tritonserver's command line made from them."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from face_repository.configurations import BOUNDED, EMBEDDED
from face_repository.layout import Repository
from face_runtime.settings import LOG_FORMAT_VARIABLE, SERVICE_NAME, TRACE_VARIABLE
from face_server.errors import SetupError
from face_server.http_api import ADMIN_HEADER
from face_server.wheel import TritonWheel

# Encryption of the gRPC endpoint. Triton has none for HTTP.


@dataclass(frozen=True)
class ServerTls:
    """Files in PEM format.

    certificate, key: the server's own; the certificates of those who vouch for it may follow its own.
    client_authority: only clients come in for whom one of these vouches; None lets in everybody.
    """

    certificate: Path
    key: Path
    client_authority: Path | None = None

    def check(self) -> None:
        """Triton would start with files that do not fit, and refuse every connection.

        Raises:
            SetupError: a file cannot be read, is none, or the key is not the certificate's.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password: nobody is there to type one.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            found = f"{self.certificate} and {self.key}"
            raise SetupError(f"tls: {found} are no certificate and its key: {error}") from error
        if self.client_authority is not None:
            try:
                context.load_verify_locations(self.client_authority)
            except OSError as error:
                raise SetupError(f"tls: {self.client_authority} holds no certificate: {error}") from error

    def arguments(self) -> list[str]:
        """Those of tritonserver."""
        own = [
            "--grpc-use-ssl=true",
            f"--grpc-server-cert={self.certificate}",
            f"--grpc-server-key={self.key}",
        ]
        if self.client_authority is None:
            return own
        return [*own, "--grpc-use-ssl-mutual=true", f"--grpc-root-cert={self.client_authority}"]


_MIB = 1024 * 1024

LOOPBACK = "127.0.0.1"

DRAIN_SECONDS = 30
"""So long a server that stops waits for requests in flight."""

TRACES_PATH = "/v1/traces"
"""Where OTLP over HTTP takes spans, on every collector."""

DEFAULT_PORTS = (8000, 8001, 8002)
"""HTTP, gRPC and metrics, as everywhere in Triton."""


def to_reach(address: str) -> str:
    """Where this machine reaches what listens on an address: all interfaces, by loopback."""
    return LOOPBACK if address == "0.0.0.0" else address


@dataclass(frozen=True)
class Settings:
    """How to run the server. Port 0 means any free one. `threads` defaults to the cores of the machine."""

    host: str = LOOPBACK
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    threads: int | None = None
    networks: str | None = None
    """Where the cascade runs its networks: `bls`, `local` or `auto`; None leaves it to the model's configuration."""
    models: tuple[str, ...] | None = None
    """Load just these models; None loads all of ours that are exported."""
    bounded_queue: bool = False
    """Refuse requests when eight wait, so that those let in are answered in time whatever the load."""
    start_timeout: float = 120
    verbose: int = 0
    log_format: str | None = None
    """How our models write their lines in the log: `text` or `json`; None leaves it to the environment, else `text`."""
    trace: str | None = None
    """OTLP/HTTP collector that gets traces: http://host:port, with or without /v1/traces. None: no traces."""
    trace_rate: int = 1
    """One of so many requests is traced."""
    tls: ServerTls | None = None
    """Encrypts gRPC."""
    http_host: str | None = None
    """Where HTTP listens; None: on `host`, and with encryption, which HTTP has none of, on this machine only."""

    @property
    def http_address(self) -> str:
        return self.http_host or (self.host if self.tls is None else LOOPBACK)

    @property
    def trace_endpoint(self) -> str | None:
        """The collector's address with its path."""
        if self.trace is None or "/" in self.trace.partition("://")[2].rstrip("/"):
            return self.trace
        return self.trace.rstrip("/") + TRACES_PATH

    @property
    def writes_json(self) -> bool:
        return (self.log_format or os.environ.get(LOG_FORMAT_VARIABLE)) == "json"

    @property
    def environment(self) -> dict[str, str | None]:
        """Variables that tell our models of these settings; None leaves one as it is."""
        return {LOG_FORMAT_VARIABLE: self.log_format, TRACE_VARIABLE: self.trace_endpoint}


def arguments(
    settings: Settings, ports: tuple[int, ...], repository: Repository, backends: Path, wheel: TritonWheel, key: str
) -> list[str]:
    """Arguments of tritonserver. key: opens the restricted protocols."""
    http, grpc, metrics = ports
    return [
        f"--model-repository={repository.path}",
        # Loads what is exported and leaves the rest.
        "--model-control-mode=explicit",
        f"--model-config-name={BOUNDED if settings.bounded_queue else EMBEDDED}",
        *(f"--load-model={name}" for name in repository.loadable),
        f"--backend-directory={backends}",
        f"--cache-directory={wheel.caches}",
        # Room for one 1080p photo at once, and for more in steps of the same size: the default is 1 MiB.
        f"--backend-config=python,shm-default-byte-size={16 * _MIB}",
        f"--backend-config=python,shm-growth-byte-size={16 * _MIB}",
        # So that the launcher knows its own: a server that was killed leaves its memory behind.
        f"--backend-config=python,shm-region-prefix-name={backends.parent.name}",
        f"--http-address={settings.http_address}",
        f"--http-port={http}",
        f"--grpc-address={settings.host}",
        f"--grpc-port={grpc}",
        f"--metrics-address={settings.host}",
        f"--metrics-port={metrics}",
        f"--http-restricted-api=model-repository,shared-memory,trace,logging:{ADMIN_HEADER}={key}",
        f"--grpc-restricted-protocol=model-repository,shared-memory,trace,logging:{ADMIN_HEADER}={key}",
        # Quantiles of latency and queue time; without this Triton reports sums only.
        "--metrics-config=summary_latencies=true",
        *(settings.tls.arguments() if settings.tls else []),
        *_tracing(settings),
        "--disable-auto-complete-config",
        f"--exit-timeout-secs={DRAIN_SECONDS}",
        f"--log-verbose={settings.verbose}",
    ]


def _tracing(settings: Settings) -> list[str]:
    """Triton's own spans: request, queue and computation of every model that takes part."""
    if settings.trace_endpoint is None:
        return []
    values = (
        "mode=opentelemetry",
        "level=TIMESTAMPS",
        f"rate={settings.trace_rate}",
        f"opentelemetry,url={settings.trace_endpoint}",
        f"opentelemetry,resource=service.name={SERVICE_NAME}",
    )
    return [f"--trace-config={value}" for value in values]
