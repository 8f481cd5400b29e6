"""Settings of the embedded server, and tritonserver's command line made from them."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from face_server.repository import Repository
from face_server.wheel import TritonWheel

_MIB = 1024 * 1024

# Configurations for Triton 2.51, where a queue policy makes the batcher miss wake-ups (mended in newer ones).
_EMBEDDED = "--model-config-name=embedded"

DRAIN_SECONDS = 30
"""So long a server that stops waits for requests in flight."""

DEFAULT_PORTS = (8000, 8001, 8002)
"""HTTP, gRPC and metrics, as everywhere in Triton."""


@dataclass(frozen=True)
class Settings:
    """How to run the server. Port 0 means any free one. `threads` defaults to the cores of the machine."""

    host: str = "127.0.0.1"
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    threads: int | None = None
    networks: str | None = None
    """Where the cascade runs its networks: `bls`, `local` or `auto`; None leaves it to the model's configuration."""
    models: tuple[str, ...] | None = None
    """Load just these models; None loads all of ours that are exported."""
    bounded_queue: bool = False
    """Refuse requests beyond the queue's bound, as in production. Costs stalls of up to 0.5 s (see `_EMBEDDED`)."""
    start_timeout: float = 120
    verbose: int = 0


def arguments(
    settings: Settings, ports: tuple[int, ...], repository: Repository, backends: Path, wheel: TritonWheel
) -> list[str]:
    """Arguments of tritonserver."""
    http, grpc, metrics = ports
    # Explicit control loads what is exported and leaves the rest. Nobody is told the key, so nobody can load more over
    # the network; other users of this machine can read it in the list of processes.
    key = secrets.token_hex()
    return [
        f"--model-repository={repository.path}",
        "--model-control-mode=explicit",
        *([] if settings.bounded_queue else [_EMBEDDED]),
        *(f"--load-model={name}" for name in repository.loadable),
        f"--backend-directory={backends}",
        f"--cache-directory={wheel.caches}",
        # Room for one 1080p photo at once, and for more in steps of the same size: the default is 1 MiB.
        f"--backend-config=python,shm-default-byte-size={16 * _MIB}",
        f"--backend-config=python,shm-growth-byte-size={16 * _MIB}",
        # So that the launcher knows its own: a server that was killed leaves its memory behind.
        f"--backend-config=python,shm-region-prefix-name={backends.parent.name}",
        f"--http-address={settings.host}",
        f"--http-port={http}",
        f"--grpc-address={settings.host}",
        f"--grpc-port={grpc}",
        f"--metrics-address={settings.host}",
        f"--metrics-port={metrics}",
        f"--http-restricted-api=model-repository,shared-memory,trace,logging:admin-key={key}",
        f"--grpc-restricted-protocol=model-repository,shared-memory,trace,logging:admin-key={key}",
        "--disable-auto-complete-config",
        f"--exit-timeout-secs={DRAIN_SECONDS}",
        f"--log-verbose={settings.verbose}",
    ]
