"""How tritonserver is called: its arguments, and the environment that it and its models' processes run in."""

import os
from collections.abc import Mapping
from pathlib import Path

from face_repository.configurations import BOUNDED, EMBEDDED, EMBEDDED_GPU
from face_repository.layout import Repository
from face_repository.versions import VARIABLE, to_text
from face_runtime.settings import (
    CROPS_VARIABLE,
    DECODE_VARIABLE,
    ENGINE_VARIABLE,
    GALLERY_VARIABLE,
    LOG_FORMAT_VARIABLE,
    NETWORKS_VARIABLE,
    RANDOM_WEIGHTS_VARIABLE,
    SERVICE_NAME,
    TRACE_VARIABLE,
    cores,
)
from face_server.gpu import gpu_count
from face_server.http_api import ADMIN_HEADER
from face_server.settings import ADMIN_KEY_VARIABLE, ServerTls, Settings
from face_server.wheel import TritonWheel, libpython_directories

DRAIN_SECONDS = 30
"""So long a server that stops waits for requests in flight."""

# With glibc's defaults half of the CPU time of a torch stub is page faults: every large temporary is mapped anew
# and given back. One arena, nothing mapped, nothing given back: a PNet pass fell from 150-250 ms to 61-75 ms.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
}

# OpenMP's threads spin while they wait for one another. Where cores are shared, and with the cascade they always are,
# that takes the time of whoever they wait for: on two busy cores FaceNet took 90 to 360 ms of processor time a face,
# and 28 ms when its threads slept instead.
OPENMP = {"OMP_WAIT_POLICY": "passive"}

# Room for one 1080p photo at once, and for more in steps of the same size: the default is 1 MiB.
_SHARED_MEMORY = 16 * 1024 * 1024

# Clients ping while they wait for an answer, ours and the examples once a minute, to notice a server that vanished. By
# Triton's default, five minutes, the fourth ping ends the connection: whatever takes longer than 240 s. No gRPC client
# pings oftener than so.
_PING_INTERVAL_MS = 10_000

_RESTRICTED = "model-repository,shared-memory,trace,logging"


def arguments(
    settings: Settings, ports: tuple[int, ...], repository: Repository, backends: Path, wheel: TritonWheel, key: str
) -> list[str]:
    """Arguments of tritonserver.

    ports: of HTTP, gRPC and metrics.
    backends: the directory of its backends, in one whose name begins those of its shared memory.
    key: opens the restricted protocols.
    """
    http, grpc, metrics = ports
    return [
        f"--model-repository={repository.path}",
        # Loads what is exported and leaves the rest.
        "--model-control-mode=explicit",
        f"--model-config-name={_configuration(settings)}",
        *(f"--load-model={name}" for name in repository.loadable),
        f"--backend-directory={backends}",
        f"--cache-directory={wheel.caches}",
        f"--backend-config=python,shm-default-byte-size={_SHARED_MEMORY}",
        f"--backend-config=python,shm-growth-byte-size={_SHARED_MEMORY}",
        # So that the launcher knows its own: a server that was killed leaves its memory behind.
        f"--backend-config=python,shm-region-prefix-name={backends.parent.name}",
        f"--http-address={settings.http_address}",
        f"--http-port={http}",
        f"--grpc-address={settings.host}",
        f"--grpc-port={grpc}",
        f"--grpc-http2-min-recv-ping-interval-without-data={_PING_INTERVAL_MS}",
        f"--metrics-address={settings.host}",
        f"--metrics-port={metrics}",
        f"--http-restricted-api={_RESTRICTED}:{ADMIN_HEADER}={key}",
        f"--grpc-restricted-protocol={_RESTRICTED}:{ADMIN_HEADER}={key}",
        # Quantiles of latency and queue time; without this Triton reports sums only.
        "--metrics-config=summary_latencies=true",
        *_encryption(settings.tls),
        *_tracing(settings),
        "--disable-auto-complete-config",
        f"--exit-timeout-secs={DRAIN_SECONDS}",
        f"--log-verbose={settings.verbose}",
    ]


def _configuration(settings: Settings) -> str:
    if settings.configuration is not None:
        return settings.configuration
    if settings.bounded_queue:
        return BOUNDED
    return EMBEDDED_GPU if gpu_count() else EMBEDDED


def _encryption(tls: ServerTls | None) -> list[str]:
    if tls is None:
        return []
    own = ["--grpc-use-ssl=true", f"--grpc-server-cert={tls.certificate}", f"--grpc-server-key={tls.key}"]
    if tls.client_authority is None:
        return own
    return [*own, "--grpc-use-ssl-mutual=true", f"--grpc-root-cert={tls.client_authority}"]


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


def environment(
    settings: Settings, wheel: TritonWheel, base: Mapping[str, str], versions: Mapping[str, int], python: Path
) -> dict[str, str]:
    """The environment of tritonserver, from `base`: what that sets wins over our defaults, what `settings` say over it.

    versions: those of the networks that its models take.
    python: where the models' `python3` lies.
    """
    told = {
        "OMP_NUM_THREADS": None if settings.threads is None else str(settings.threads),
        NETWORKS_VARIABLE: settings.networks,
        ENGINE_VARIABLE: settings.engine,
        DECODE_VARIABLE: settings.decode,
        CROPS_VARIABLE: settings.facenet_crops,
        # Not on a command line, which every user of the machine can read: it may hold a password.
        GALLERY_VARIABLE: settings.gallery_address,
        RANDOM_WEIGHTS_VARIABLE: "1" if settings.random_weights else None,
        LOG_FORMAT_VARIABLE: settings.log_format,
        TRACE_VARIABLE: settings.trace_endpoint,
        VARIABLE: to_text(versions),
    }
    made = {**MALLOC, **OPENMP, "OMP_NUM_THREADS": str(cores()), **base}
    made.update({name: value for name, value in told.items() if value is not None})
    made["LD_LIBRARY_PATH"] = _joined([*libpython_directories(), wheel.libraries], base.get("LD_LIBRARY_PATH"))
    # The stub takes the site-packages of the first python3 on PATH, and ignores PYTHONPATH.
    made["PATH"] = _joined([python], base.get("PATH"))
    # Models have no use for it.
    made.pop(ADMIN_KEY_VARIABLE, None)
    return made


def _joined(first: list[Path], rest: str | None) -> str:
    return os.pathsep.join([*map(str, first), *([rest] if rest else [])])
