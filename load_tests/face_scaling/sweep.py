"""Runs of a day: the chart's rule, other numbers in its place, and what hindsight would have done."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from face_scaling.chart import Scaling
from face_scaling.day import Cluster, Day, Outcome
from face_scaling.queues import percentile
from face_scaling.server import Server

PROMISE = 0.01
"""Of a day's requests so many may be late, refused or given up, for a rule to be good enough."""

_LOADS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Of a replica's capacity: how full a plan in hindsight may have it."""


@dataclass(frozen=True)
class Setting:
    """What is the same in all runs of a report."""

    server: Server
    scaling: Scaling
    cluster: Cluster
    rates: NDArray[np.float64]
    callers: int
    retries: bool
    seed: int

    def run(self, plan: NDArray[np.int64] | None = None) -> Outcome:
        return Day(
            self.server,
            self.scaling,
            self.cluster,
            self.rates,
            plan=plan,
            callers=self.callers,
            retries=self.retries,
            seed=self.seed,
        ).run()


@dataclass(frozen=True)
class Row:
    """One rule's day. target, window_s: None for hindsight, whose `load` is how full it has its replicas. Waits are
    those in the queue. late, refused, gave_up: shares of all requests; late ones were answered after a second."""

    target: float | None
    window_s: float | None
    load: float | None
    wait_p50_ms: float
    wait_p95_ms: float
    wait_p99_ms: float
    answer_p99_ms: float
    late: float
    refused: float
    gave_up: float
    replica_hours: float
    changes: int

    @property
    def missed(self) -> float:
        return self.late + self.refused + self.gave_up

    @property
    def keeps_promise(self) -> bool:
        return self.missed <= PROMISE


def row(outcome: Outcome, target: float | None = None, window_s: float | None = None, load: float | None = None) -> Row:
    counts = outcome.counts
    due = counts.due.sum()
    waits = counts.waits.sum(0)
    p50, p95, p99 = (1e3 * percentile(waits, share) for share in (0.5, 0.95, 0.99))
    return Row(
        target=target,
        window_s=window_s,
        load=load,
        wait_p50_ms=p50,
        wait_p95_ms=p95,
        wait_p99_ms=p99,
        answer_p99_ms=1e3 * percentile(counts.latencies.sum(0), 0.99),
        late=float(counts.late.sum() / due),
        refused=float(counts.refused.sum() / due),
        gave_up=float(counts.gave_up.sum() / due),
        replica_hours=outcome.replica_hours,
        changes=outcome.changes,
    )


def with_rule(setting: Setting, target: float, window_s: float) -> Setting:
    scaling = setting.scaling
    return replace(setting, scaling=replace(scaling, target=target, down=replace(scaling.down, window_s=window_s)))


def rule(setting: Setting, numbers: tuple[float, float]) -> Row:
    """numbers: target, window."""
    return row(with_rule(setting, *numbers).run(), *numbers)


def plan(setting: Setting, load: float) -> NDArray[np.int64]:
    """Replicas of every minute that need be no fuller than `load` in any ten seconds of it, as one knows afterwards."""
    busiest = setting.rates.reshape(-1, 6, 10).mean(2).max(1)
    least, most = setting.scaling.bounds
    return np.clip(np.ceil(busiest / (load * setting.server.capacity)), least, most).astype(np.int64)


def hindsight(setting: Setting, load: float) -> Row:
    return row(setting.run(plan(setting, load)), load=load)


def best(rows: Sequence[Row]) -> Row:
    """The cheapest of those that keep the promise; where none does, the one that misses it least."""
    kept = [each for each in rows if each.keeps_promise]
    return min(kept, key=lambda each: each.replica_hours) if kept else min(rows, key=lambda each: each.missed)


def sweep(
    setting: Setting, targets: Iterable[float], windows_s: Iterable[float], tell: Callable[[int], None]
) -> tuple[list[Row], Row]:
    """Rows of all numbers, and that of the best plan in hindsight; tell is told how many days are over."""
    numbers = [(target, window) for target in targets for window in windows_s]
    with ProcessPoolExecutor(min(4, len(os.sched_getaffinity(0)))) as pool:
        rules_, plans = pool.map(partial(rule, setting), numbers), pool.map(partial(hindsight, setting), _LOADS)
        rows: list[Row] = []
        for each in rules_:
            rows.append(each)
            tell(len(rows))
        return rows, best(list(plans))
