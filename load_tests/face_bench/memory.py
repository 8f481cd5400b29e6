"""Memory of the whole server over many mixed requests: how much at most, and whether it grows."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from face_bench.load import ClosedLoop
from face_bench.process_tree import Memory, ProcessTree
from face_bench.spread import slope
from face_bench.wire import WireRequest
from face_server import EmbeddedTriton

CLIENTS = 8
_INTERVAL_S = 0.5
_MB = 1e6

# However slow the machine: as much as an hour for the default number of requests.
_SECONDS_A_REQUEST = 2.0


@dataclass(frozen=True)
class MemorySample:
    requests: int
    rss_mb: float
    pss_mb: float


@dataclass(frozen=True)
class MemoryUse:
    """MB are 10⁶ bytes. The slope is that of PSS over the second half of the requests."""

    requests: int
    clients: int
    errors: dict[str, int]
    processes: int
    max_rss_mb: float
    max_pss_mb: float
    slope_mb_per_1000_requests: float
    samples: list[MemorySample]


def measure_memory(
    triton: EmbeddedTriton,
    requests: Sequence[WireRequest],
    expected: Sequence[int],
    count: int,
    progress: Callable[[int], None],
) -> MemoryUse:
    """Sends `count` requests and samples the server's memory meanwhile; progress is told how many are done."""
    processes = ProcessTree(triton.pid)
    started = time.perf_counter()
    deadline = started + 60 + count * _SECONDS_A_REQUEST
    samples: list[tuple[int, Memory]] = []
    with ClosedLoop(triton.grpc_url, requests, expected, CLIENTS, limit=count) as loop:
        while loop.running and time.perf_counter() < deadline:
            samples.append((loop.done, processes.memory()))
            progress(loop.done)
            time.sleep(_INTERVAL_S)
    samples.append((loop.done, processes.memory()))
    _, errors = loop.between(started, time.perf_counter())
    return _summary(loop.done, dict(errors), samples)


def _summary(requests: int, errors: dict[str, int], samples: Sequence[tuple[int, Memory]]) -> MemoryUse:
    shown = [MemorySample(done, memory.rss / _MB, memory.pss / _MB) for done, memory in samples]
    return MemoryUse(
        requests=requests,
        clients=CLIENTS,
        errors=errors,
        processes=samples[-1][1].processes,
        max_rss_mb=max(sample.rss_mb for sample in shown),
        max_pss_mb=max(sample.pss_mb for sample in shown),
        slope_mb_per_1000_requests=growth(shown),
        samples=shown,
    )


def growth(samples: Sequence[MemorySample]) -> float:
    """MB of PSS per 1,000 requests over the second half: the first half fills pools and caches."""
    half = max(sample.requests for sample in samples) / 2
    second = [sample for sample in samples if sample.requests >= half]
    return 1e3 * slope([sample.requests for sample in second], [sample.pss_mb for sample in second])
