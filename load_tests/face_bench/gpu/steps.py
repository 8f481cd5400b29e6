"""One step: so many clients at a running server for a while, and what was seen of it."""

import os
import time
from collections.abc import Sequence

from face_bench.gpu.card import CardWatcher
from face_bench.gpu.clients import Clients, processes_for
from face_bench.gpu.report import Step
from face_bench.processes import Watcher, use_between
from face_bench.spread import percentiles
from face_bench.stages import STAGE_SECONDS
from face_bench.wire import Request
from face_server import EmbeddedTriton

_WARM_UP_S = 1.0


def measure(
    triton: EmbeddedTriton,
    configuration: str,
    requests: Sequence[Request],
    model: str,
    clients: int,
    seconds: float,
) -> Step:
    """A running server under so many clients, who ask again at once, for so long.

    configuration: what the step is called. model: the one that is asked, by these requests.
    """
    processes = processes_for(clients, len(os.sched_getaffinity(0)))
    watcher = Watcher(triton)
    with CardWatcher() as gpu, Clients(triton.grpc_url, requests, clients, processes) as load:
        time.sleep(_WARM_UP_S)
        start, cpu_at_start = watcher.read().at, load.cpu_seconds()
        time.sleep(seconds)
        end, cpu_at_end = watcher.read().at, load.cpu_seconds()
        latencies, errors = load.between(start, end)
    use, elapsed, images = use_between(watcher.readings, start, end), end - start, len(latencies)
    seen = gpu.between(start, end)
    p50, p95 = (1e3 * value for value in percentiles(latencies, (50, 95)))
    return Step(
        configuration=configuration,
        model=model,
        clients=clients,
        seconds=elapsed,
        images=images,
        images_per_second=images / elapsed,
        p50_ms=p50,
        p95_ms=p95,
        errors=errors,
        batch=use.batch,
        server_ms=_ms_an_image(use.server_cores * elapsed, images),
        client_ms=_ms_an_image(cpu_at_end - cpu_at_start, images),
        client_processes=processes,
        server_cores=use.server_cores,
        other_cores=use.other_cores,
        gpu_percent=seen.percent if seen else None,
        gpu_memory_mb=seen.memory_mb if seen else None,
        stages=_stages(watcher, images),
    )


def _ms_an_image(seconds: float, images: int) -> float:
    return 1e3 * seconds / images if images else float("nan")


def _stages(watcher: Watcher, images: int) -> dict[str, float]:
    growth = watcher.readings[-1].metrics.since(watcher.readings[0].metrics)
    return {name: _ms_an_image(seconds, images) for name, seconds in growth.by(STAGE_SECONDS, "stage").items()}
