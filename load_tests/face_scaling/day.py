"""A day of a Deployment: pods that start and end, Prometheus that looks at them, and a controller that counts them.

Time goes in steps of five seconds; within a step requests go their way, event by event (face_scaling.queues).
"""

import heapq
import math
import statistics
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from face_scaling.chart import HPA, Scaling
from face_scaling.events import SLOTS
from face_scaling.hpa import SYNC_S, Autoscaler, Pod, desired_by_pods, desired_by_sum
from face_scaling.queues import Counts, Queues
from face_scaling.server import Server

EVALUATION_S = 15.0
"""Between two evaluations of the records (deploy/prometheus/prometheus.yml)."""

_STEP_S = 5
_MINUTE = 60
_COMFORTABLE = 0.7


@dataclass(frozen=True)
class Cluster:
    """What no chart knows.

    pull_s: from a pod's creation until its server's process starts: scheduling, image, networks from a claim, and where
    nodes come and go the node itself. notice_s: from readiness until callers choose the replica, and from its end
    until they no longer do: probe and DNS.
    """

    pull_s: float
    notice_s: float = 5.0


@dataclass
class _Pod:
    """Times are seconds of the day; offset is that of its scrapes."""

    slot: int
    created: float
    process: float
    ready: float
    offset: float
    deleted: float | None = None
    is_open: bool = False
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    record: float | None = None


@dataclass(frozen=True)
class Outcome:
    """Of every minute: counts of requests, and pods that there were and that took calls, on average. replica_hours:
    from creation to end of every pod, what one pays."""

    counts: Counts
    pods: NDArray[np.float64]
    serving: NDArray[np.float64]
    replica_hours: float
    changes: int


class Day:
    """One run.

    plan: replicas of every minute, known beforehand, instead of the rule; they are created early enough to serve in
    time.
    """

    def __init__(
        self,
        server: Server,
        scaling: Scaling,
        cluster: Cluster,
        rates: NDArray[np.float64],
        *,
        plan: NDArray[np.int64] | None = None,
        callers: int = 8,
        retries: bool = False,
        seed: int = 1,
    ) -> None:
        self._server, self._scaling, self._cluster, self._plan = server, scaling, cluster, plan
        self._queues = Queues(server, rates, callers=callers, retries=retries, seed=seed)
        self._seconds = len(rates)
        self._random = np.random.default_rng([seed, 99])
        self._autoscaler = Autoscaler(scaling.up, scaling.down, scaling.bounds)
        self._pods: list[_Pod] = []
        # What Prometheus still has of pods that are gone: (when it ended, its samples).
        self._gone: deque[tuple[float, deque[tuple[float, int]]]] = deque()
        # A heap: the lowest slot first.
        self._free = list(range(SLOTS))
        # Who begins in the middle of a day begins with enough.
        enough = math.ceil(rates[:_MINUTE].mean() / (_COMFORTABLE * server.capacity))
        self._wanted = int(min(max(enough, scaling.bounds[0]), scaling.bounds[1])) if plan is None else int(plan[0])
        self._changes = 0

    def run(self) -> Outcome:
        for _ in range(self._wanted):
            pod = self._create(0.0)
            pod.process = pod.ready = -self._cluster.notice_s
        times = range(0, self._seconds, _STEP_S)
        there, serving = np.zeros(len(times)), np.zeros(len(times))
        for n, now in enumerate(times):
            self._move(now)
            self._look(now)
            self._decide(now)
            self._queues.advance(float(now + _STEP_S))
            there[n], serving[n] = len(self._pods), sum(pod.is_open for pod in self._pods)
        # What was accepted is answered.
        self._queues.advance(self._seconds + 60.0)
        pods, open_ = (each.reshape(-1, _MINUTE // _STEP_S).mean(1) for each in (there, serving))
        return Outcome(self._queues.counts, pods, open_, float(there.sum()) * _STEP_S / 3600, self._changes)

    def _create(self, now: float) -> _Pod:
        process = now + self._cluster.pull_s
        offset = float(self._random.integers(int(self._scaling.scrape_s) // _STEP_S) * _STEP_S)
        pod = _Pod(heapq.heappop(self._free), now, process, process + self._server.start_s, offset)
        self._pods.append(pod)
        return pod

    def _move(self, now: float) -> None:
        """Pods that begin to take calls, that callers no longer choose, that are over."""
        notice, scaling = self._cluster.notice_s, self._scaling
        for pod in list(self._pods):
            slot = pod.slot
            if pod.deleted is None:
                if not pod.is_open and now >= pod.ready + notice:
                    pod.is_open = True
                    self._queues.open(slot)
                continue
            if pod.is_open and now >= pod.deleted + min(notice, scaling.pre_stop_s):
                pod.is_open = False
                self._queues.close(slot)
            idle = not self._queues.waiting(slot) and not self._queues.at_work(slot)
            never_ready = pod.ready > pod.deleted
            term = pod.deleted + (0 if never_ready else scaling.pre_stop_s)
            if now >= term and (idle or now >= term + scaling.grace_s):
                self._queues.drop(slot)
                self._pods.remove(pod)
                self._gone.append((now, pod.samples))
                heapq.heappush(self._free, slot)

    def _look(self, now: float) -> None:
        """Prometheus: scrapes, and every EVALUATION_S the records of what it has."""
        average = self._scaling.average_s
        for pod in self._pods:
            if now >= pod.ready and (now - pod.offset) % self._scaling.scrape_s == 0:
                pod.samples.append((now, self._queues.waiting(pod.slot)))
        if now % EVALUATION_S == 0:
            while self._gone and self._gone[0][0] <= now - average:
                self._gone.popleft()
            for pod in self._pods:
                pod.record = _average(pod.samples, now - average)

    def _decide(self, now: float) -> None:
        if self._plan is not None:
            ahead = int(now + self._cluster.pull_s + self._server.start_s + self._cluster.notice_s + 2 * _STEP_S)
            last = len(self._plan) - 1
            # Up as early as it takes to be ready in time, down when the need is over.
            now_, then = (int(self._plan[min(last, second // 60)]) for second in (int(now), ahead))
            self._scale(now, max(now_, then))
        # Off the evaluations, as two clocks that nobody has set together.
        elif (now - _STEP_S) % SYNC_S == 0:
            self._scale(now, self._autoscaler.decide(now, self._wanted, self._desired(now)))

    def _desired(self, now: float) -> int | None:
        kept = [pod for pod in self._pods if pod.deleted is None]
        target = self._scaling.target
        if self._scaling.by == HPA:
            pods = [Pod(now < pod.process, pod.record) for pod in kept]
            return desired_by_pods(pods, self._wanted, target)
        records = [pod.record for pod in self._pods]
        since = now - now % EVALUATION_S - self._scaling.average_s
        records += [_average(samples, since) for _, samples in self._gone]
        known = [record for record in records if record is not None]
        return desired_by_sum(sum(known), len(kept), target) if known else None

    def _scale(self, now: float, wanted: int) -> None:
        kept = [pod for pod in self._pods if pod.deleted is None]
        self._changes += wanted != self._wanted
        self._wanted = wanted
        for _ in range(wanted - len(kept)):
            self._create(now)
        # A ReplicaSet ends first what is not ready, then what became so last.
        newest = sorted(kept, key=lambda pod: pod.ready, reverse=True)
        for pod in newest[: max(0, len(kept) - wanted)]:
            pod.deleted = now


def _average(samples: deque[tuple[float, int]], since: float) -> float | None:
    while samples and samples[0][0] <= since:
        samples.popleft()
    return statistics.fmean(value for _, value in samples) if samples else None
