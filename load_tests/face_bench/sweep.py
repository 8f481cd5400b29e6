"""Throughput and latency under 1 to 32 clients with mixed image sizes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from face_bench.load import ClosedLoop
from face_bench.metrics import Metrics, scrape
from face_bench.process_tree import OtherLoad, ProcessTree
from face_bench.spread import percentiles
from face_bench.wire import WireRequest
from face_server import EmbeddedTriton

DEFAULT_CLIENTS = (1, 2, 4, 8, 16, 32)
WARM_UP_S = 2.0


@dataclass(frozen=True)
class SweepStep:
    """One number of clients for a while.

    batch: images an execution for `mtcnn` and for every network that Triton itself executed; networks inside the
    cascade's process are not among them. server_cores, client_cores, other_cores: processor time a second of the
    server, of the load generator, and of everything else on the machine, which should be next to nothing.
    """

    clients: int
    seconds: float
    images: int
    images_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: dict[str, int]
    batch: dict[str, float]
    server_cores: float
    client_cores: float
    other_cores: float


def sweep(
    triton: EmbeddedTriton,
    requests: Sequence[WireRequest],
    expected: Sequence[int],
    clients: Sequence[int],
    seconds: float,
    progress: Callable[[int], None],
) -> list[SweepStep]:
    """One step for each number of clients, each `seconds` long after a warm-up of its own."""
    steps = []
    for count in clients:
        progress(count)
        steps.append(_step(triton, requests, expected, count, seconds))
    return steps


@dataclass(frozen=True)
class _Reading:
    at: float
    metrics: Metrics
    server_cpu: float
    client_cpu: float


def _step(
    triton: EmbeddedTriton, requests: Sequence[WireRequest], expected: Sequence[int], clients: int, seconds: float
) -> SweepStep:
    processes = ProcessTree(triton.pid)
    with ClosedLoop(triton.grpc_url, requests, expected, clients) as loop:
        time.sleep(WARM_UP_S)
        before, others = _read(triton, processes), OtherLoad()
        time.sleep(seconds)
        after, other_cores = _read(triton, processes), others.cores()
    return _summary(clients, loop, before, after, other_cores)


def _read(triton: EmbeddedTriton, processes: ProcessTree) -> _Reading:
    metrics = scrape(triton.metrics_url)
    return _Reading(time.perf_counter(), metrics, processes.cpu_seconds(), time.process_time())


def _summary(clients: int, loop: ClosedLoop, before: _Reading, after: _Reading, other_cores: float) -> SweepStep:
    elapsed = after.at - before.at
    latencies, errors = loop.between(before.at, after.at)
    p50, p95, p99 = (1e3 * value for value in percentiles(latencies, (50, 95, 99)))
    return SweepStep(
        clients=clients,
        seconds=elapsed,
        images=len(latencies),
        images_per_second=len(latencies) / elapsed,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        errors=dict(errors),
        batch=achieved_batches(after.metrics.since(before.metrics)),
        server_cores=(after.server_cpu - before.server_cpu) / elapsed,
        client_cores=(after.client_cpu - before.client_cpu) / elapsed,
        other_cores=other_cores,
    )


def achieved_batches(growth: Metrics) -> dict[str, float]:
    """Inference count ÷ execution count of every model that was executed."""
    inferences = growth.by("nv_inference_count", "model")
    executions = growth.by("nv_inference_exec_count", "model")
    return {model: inferences[model] / count for model, count in sorted(executions.items()) if count > 0}
