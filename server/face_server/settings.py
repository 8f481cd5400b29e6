"""How to run an embedded server: what its owner may choose, checked."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from face_runtime.settings import (
    CROPS_CHOICES,
    DECODE_CHOICES,
    ENGINE_CHOICES,
    GALLERY_VARIABLE,
    LOG_FORMAT_VARIABLE,
    NETWORKS_CHOICES,
)
from face_server.errors import SetupError
from face_server.ports import LOOPBACK

ADMIN_KEY_VARIABLE = "TRITON_FACES_ADMIN_KEY"
"""The key that opens the restricted protocols of a server; unset, `faces serve` makes one up and tells nobody."""

DEFAULT_PORTS = (8000, 8001, 8002)
"""HTTP, gRPC and metrics, as everywhere in Triton."""

LOG_FORMATS = ("text", "json")

PORT_RANGE = (0, 65535)
"""0 means any free one."""

RANGES = {
    "http_port": PORT_RANGE,
    "grpc_port": PORT_RANGE,
    "metrics_port": PORT_RANGE,
    "threads": (1, 1024),
    "verbose": (0, 9),
    "trace_rate": (1, 1_000_000),
}
"""What the whole numbers of `Settings` may be, both ends included."""

CONFIGURATIONS = ("embedded", "embedded_gpu", "bounded", "tuned")
"""The names in `face_repository.configurations`, which NVIDIA's container cannot import: its Python has no protobuf."""

CHOICES = {
    "configuration": CONFIGURATIONS,
    "networks": NETWORKS_CHOICES,
    "engine": ENGINE_CHOICES,
    "decode": DECODE_CHOICES,
    "facenet_crops": CROPS_CHOICES,
    "log_format": LOG_FORMATS,
}
"""What the words of `Settings` may be."""

LONGEST_START = 86400
"""The most that `Settings.start_timeout` may be, in seconds."""

_TRACES_PATH = "/v1/traces"  # where OTLP over HTTP takes spans, on every collector


@dataclass(frozen=True)
class ServerTls:
    """Encryption of the gRPC endpoint, by files in PEM format. Triton has none for HTTP.

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


@dataclass(frozen=True)
class Settings:
    """How to run the server. Port 0 means any free one. `threads` defaults to the cores of the machine.

    Raises:
        ValueError: a value that cannot be, in one sentence. What this machine lacks is found when the server starts.
    """

    host: str = LOOPBACK
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    threads: int | None = None
    networks: str | None = None
    """Where the cascade runs its networks: `bls`, `local` or `auto`; None leaves it to the model's configuration."""
    engine: str | None = None
    """Who holds pixels and maps: `numpy`, the processor; `torch`, the GPU; or `auto`; None as above."""
    decode: str | None = None
    """Who decodes JPEG for torch: `cpu`, `gpu` or `auto`; None as above."""
    facenet_crops: str | None = None
    """Where faces that torch has cut lie when FaceNet is asked about them: `host` or `device`; None as above."""
    models: tuple[str, ...] | None = None
    """Load just these models; None loads all of ours that are exported."""
    bounded_queue: bool = False
    """Refuse requests when eight wait, so that those let in are answered in time whatever the load."""
    configuration: str | None = None
    """Of the models: `tuned` is what `make tune` found for this machine. None: as `bounded_queue` says, else the one
    for a GPU where there is one, and the one for a CPU where there is none."""
    gallery: str | None = None
    """Where the people are whom `face_identification` knows: a file, or postgresql://…; None leaves it to the
    environment, else there is no such model."""
    random_weights: bool = False
    """Name people also by a FaceNet that was never trained."""
    start_timeout: float = 120
    """Seconds that Triton has for its start."""
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

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            # A default needs no check: that of `threads` is no number.
            if value != getattr(Settings, name):
                is_whole = isinstance(value, int) and low <= value <= high
                require(name, value, is_whole, f"a whole number from {low} to {high}")
        for name, other in (("grpc_port", "http_port"), ("metrics_port", "http_port"), ("metrics_port", "grpc_port")):
            port = getattr(self, name)
            require(name, port, port == 0 or port != getattr(self, other), f"another port than {other}")
        seconds = self.start_timeout
        require("start_timeout", seconds, 0 < seconds <= LONGEST_START, f"above 0 and at most {LONGEST_START} seconds")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            require(name, value, value is None or value in choices, f"one of {', '.join(choices)}")
        alone = not self.bounded_queue or self.configuration in (None, "bounded")
        require("configuration", self.configuration, alone, "left out, or bounded, together with bounded_queue")
        require("trace", self.trace, self.trace is None or is_collector(self.trace), "http://HOST:PORT")

    @property
    def gallery_address(self) -> str | None:
        """As the models' processes find it, wherever they run; None where there is no gallery."""
        given = self.gallery or os.environ.get(GALLERY_VARIABLE)
        return given if not given or "://" in given else str(Path(given).absolute())

    @property
    def http_address(self) -> str:
        return self.http_host or (self.host if self.tls is None else LOOPBACK)

    @property
    def trace_endpoint(self) -> str | None:
        """The collector's address with its path."""
        if self.trace is None or "/" in self.trace.partition("://")[2].rstrip("/"):
            return self.trace
        return self.trace.rstrip("/") + _TRACES_PATH

    @property
    def writes_json(self) -> bool:
        return (self.log_format or os.environ.get(LOG_FORMAT_VARIABLE)) == "json"


def is_collector(address: str) -> bool:
    """Whether this may be the address of an OTLP/HTTP collector."""
    url = urlsplit(address)
    return url.scheme in ("http", "https") and bool(url.hostname)


def require(name: str, value: object, allowed: bool, must_be: str) -> None:
    """Raises ValueError, in the words of all settings, where a value is not allowed."""
    if not allowed:
        raise ValueError(f"{name} is {value!r}, must be {must_be}")
