"""Many clients at once: throughput and latency for 1 to 32 of them, and the server's memory over thousands of requests.

Clients are threads of this process. All that they do in Python is to hand bytes to gRPC and read a small answer, 2 to
4 ms of processor time a request; the rest runs in gRPC's own threads or waits. Processes would each bring an
interpreter to two cores that the server needs. Locust, which drives the load tests, takes about as much for a request,
but chooses its requests at random and runs for a time: here every step sends the same mix in the same order, and memory
is taken over a number of requests. What this process used of the processor is reported beside what the server used, so
that a load generator in the way would be seen.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from face_bench.processes import INTERVAL_S, ServerState, Watcher, server_state, use_between
from face_bench.spread import percentiles, slope
from face_bench.wire import GOOD, PAUSE_AFTER_ERROR_S, WRONG_ANSWER, Request, WireClient, ask
from face_server import EmbeddedTriton

DEFAULT_CLIENTS = (1, 2, 4, 8, 16, 32)
WARM_UP_S = 2.0

MEMORY_CLIENTS = 8
_MB = 1e6

_JOIN_TIMEOUT_S = 90.0

# However slow the machine: as much as an hour for the default number of requests.
_SECONDS_A_REQUEST = 2.0


class ClosedLoop:
    """`clients` clients at work on a mix of requests, in one order for all, from entering the block to leaving it.

    Each sends its next request when it has the answer to the last.

    Args:
        limit: stop after so many requests; None for no limit but the block's end.
    """

    def __init__(self, url: str, requests: Sequence[Request], clients: int, limit: int | None = None) -> None:
        self._requests = requests
        self._limit = limit
        self._turns = itertools.count()
        self._stopping = threading.Event()
        # (time of the answer, seconds it took, outcome): appended to by all threads, which lists allow.
        self._ended: list[tuple[float, float, str]] = []
        self._clients = [WireClient(url) for _ in range(clients)]
        self._threads = [threading.Thread(target=self._work, args=(client,), daemon=True) for client in self._clients]

    def __enter__(self) -> "ClosedLoop":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for the requests in flight."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)
        for client in self._clients:
            client.close()

    @property
    def done(self) -> int:
        """Requests that have come to an end, good or bad."""
        return len(self._ended)

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def between(self, start: float, end: float) -> tuple[list[float], dict[str, int]]:
        """Seconds of each good answer, and errors by kind, that came within a time of `time.perf_counter`."""
        within = [(took, outcome) for at, took, outcome in list(self._ended) if start <= at < end]
        errors = Counter(outcome for _, outcome in within if outcome != GOOD)
        return [took for took, outcome in within if outcome == GOOD], dict(errors)

    def _work(self, client: WireClient) -> None:
        while not self._stopping.is_set():
            turn = next(self._turns)
            if self._limit is not None and turn >= self._limit:
                return
            started = time.perf_counter()
            outcome = ask(client, self._requests[turn % len(self._requests)])
            ended = time.perf_counter()
            self._ended.append((ended, ended - started, outcome))
            if outcome not in (GOOD, WRONG_ANSWER):
                self._stopping.wait(PAUSE_AFTER_ERROR_S)


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
    requests: Sequence[Request],
    clients: Sequence[int],
    seconds: float,
    progress: Callable[[int], None],
) -> list[SweepStep]:
    """One step for each number of clients, each `seconds` long after a warm-up of its own; progress is told of each."""
    steps = []
    for done, count in enumerate(clients):
        progress(done)
        steps.append(step(triton, requests, count, seconds))
    return steps


def step(triton: EmbeddedTriton, requests: Sequence[Request], clients: int, seconds: float) -> SweepStep:
    """So many clients for so many seconds, after a warm-up."""
    watcher = Watcher(triton)
    with ClosedLoop(triton.grpc_url, requests, clients) as loop:
        time.sleep(WARM_UP_S)
        start, cpu_at_start = watcher.read().at, time.process_time()
        time.sleep(seconds)
        end, cpu_at_end = watcher.read().at, time.process_time()
    elapsed, use = end - start, use_between(watcher.readings, start, end)
    latencies, errors = loop.between(start, end)
    p50, p95, p99 = (1e3 * value for value in percentiles(latencies, (50, 95, 99)))
    return SweepStep(
        clients=clients,
        seconds=elapsed,
        images=len(latencies),
        images_per_second=len(latencies) / elapsed,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        errors=errors,
        batch=use.batch,
        server_cores=use.server_cores,
        client_cores=(cpu_at_end - cpu_at_start) / elapsed,
        other_cores=use.other_cores,
    )


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
    triton: EmbeddedTriton, requests: Sequence[Request], count: int, progress: Callable[[int], None]
) -> MemoryUse:
    """Sends `count` requests and samples the server's memory meanwhile; progress is told how many are done."""
    started = time.perf_counter()
    deadline = started + 60 + count * _SECONDS_A_REQUEST
    samples: list[MemorySample] = []
    with ClosedLoop(triton.grpc_url, requests, MEMORY_CLIENTS, limit=count) as loop:
        while loop.running and time.perf_counter() < deadline:
            samples.append(_memory_sample(loop.done, server_state(triton.pid)))
            progress(loop.done)
            time.sleep(INTERVAL_S)
    last = server_state(triton.pid)
    samples.append(_memory_sample(loop.done, last))
    return MemoryUse(
        requests=loop.done,
        clients=MEMORY_CLIENTS,
        errors=loop.between(started, time.perf_counter())[1],
        processes=len(last.processes),
        max_rss_mb=max(sample.rss_mb for sample in samples),
        max_pss_mb=max(sample.pss_mb for sample in samples),
        slope_mb_per_1000_requests=growth(samples),
        samples=samples,
    )


def _memory_sample(requests: int, state: ServerState) -> MemorySample:
    return MemorySample(requests, state.rss / _MB, state.pss / _MB)


def growth(samples: Sequence[MemorySample]) -> float:
    """MB of PSS per 1,000 requests over the second half: the first half fills pools and caches."""
    half = max(sample.requests for sample in samples) / 2
    second = [sample for sample in samples if sample.requests >= half]
    return 1e3 * slope([sample.requests for sample in second], [sample.pss_mb for sample in second])
