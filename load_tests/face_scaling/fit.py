"""The model of a replica fitted to measured points, and one such replica under a load alone, to compare with others."""

import math
from dataclasses import dataclass, replace

import numpy as np

from face_bench.machine import CHECKOUT
from face_bench.wire import RAW
from face_repository.configurations import BOUNDED, EMBEDDED, derive, read
from face_scaling.points import Measurement
from face_scaling.queues import Queues, percentile
from face_scaling.server import Server

_SECONDS = 30
_TRIES = 13
_SETTLED_S = 10


def server(measurement: Measurement, profile: str, bounded: bool) -> Server:
    """As the model's configuration has it (on a GPU the queue is always bounded), with times fitted to closed loops.

    What instances share is busy for a known part of the time, all of it where nobody says so, and then b images take
    busy · b / throughput of it: a straight line in b where batches differ. One caller's time tells what an instance
    needs beside that. How much of it is for the batch and how much for each image is tried: what comes nearest to the
    throughput of all loops.
    """
    config = read(CHECKOUT / "model_repository" / "mtcnn" / "config.pbtxt")
    if profile == "cpu":
        config = derive(config, BOUNDED if bounded else EMBEDDED)
    batching = config.dynamic_batching
    closed = measurement.closed
    instances = sum(group.count for group in config.instance_group)
    crowded = [p for p in closed if p.busy == p.busy or p.clients > 2 * instances]
    batches = np.array([p.batch for p in crowded])
    times = np.array([(p.busy if p.busy == p.busy else 1.0) * p.batch / p.goodput for p in crowded])
    if batches.max() > 4:
        image, begin = np.polyfit(batches, times, 1)
    else:
        image, begin = np.median(times / batches), 0.0
    (alone,) = [1 / p.goodput for p in closed if p.clients == 1]
    own = max(0.0, alone - begin - image)
    kinds = measurement.kinds_ms
    weights = [ms * len(kinds) / sum(kinds.values()) for ms in kinds.values()]
    made = Server(
        instances=instances,
        # No larger one than was seen: Triton prepares batches ahead, while little waits yet.
        batch=min(*batching.preferred_batch_size, config.max_batch_size, math.ceil(max(p.batch for p in closed))),
        queue=batching.default_queue_policy.max_queue_size or None,
        own_s=tuple(own * weight for weight in weights),
        shared_s=tuple(float(image) * weight for weight in weights),
        batch_s=(0.0, float(begin)),
        forms=tuple(int(f" {RAW} " not in name) for name in kinds),
        start_s=measurement.start_s,
    )
    if batches.max() <= 4:
        return made
    unlimited = replace(made, queue=None)

    def misses(share: float) -> float:
        tried = _with_share(unlimited, share)
        return sum(np.log(closed_loop(tried, p.clients).goodput / p.goodput) ** 2 for p in closed if p.clients)

    return _with_share(made, min(np.linspace(0, 1, _TRIES), key=misses))


def _with_share(made: Server, share: float) -> Server:
    """So much of an instance's own time is for the batch, the rest for an image."""
    own = made.own_s[0]
    return replace(made, own_s=(own * (1 - share),), batch_s=(own * share, made.batch_s[1]))


@dataclass(frozen=True)
class Simulated:
    """What a measurement says of a load (face_scaling.points)."""

    goodput: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    pending: float
    refused: float


def closed_loop(server: Server, clients: int) -> Simulated:
    """Callers who ask again when they are answered."""
    queues = Queues(server, np.zeros(_SECONDS), callers=1, closed=True)
    queues.open(0)
    queues.fill(0, clients)
    return _simulated(queues, _SECONDS)


def open_loop(server: Server, rate: float, seconds: int = 1200) -> Simulated:
    """Callers who come at random times whatever becomes of those before."""
    queues = Queues(server, np.full(seconds, rate), callers=1)
    queues.open(0)
    return _simulated(queues, seconds)


def _simulated(queues: Queues, seconds: int) -> Simulated:
    waiting = []
    for second in range(seconds):
        queues.advance(second + 1)
        waiting.append(queues.waiting(0))
    counts = queues.counts
    answers = counts.latencies.sum(0)
    p50, p95, p99 = (1e3 * percentile(answers, share) for share in (0.5, 0.95, 0.99))
    due = int(counts.due.sum())
    return Simulated(
        goodput=int(answers.sum()) / seconds,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        pending=float(np.mean(waiting[_SETTLED_S:])),
        refused=int(counts.refused.sum()) / due if due else 0.0,
    )
