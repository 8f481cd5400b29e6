"""What a simulation found, as tables."""

from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.output import Table, optional
from face_scaling.chart import Scaling
from face_scaling.day import Outcome
from face_scaling.fit import Simulated
from face_scaling.points import Point
from face_scaling.queues import percentile
from face_scaling.sweep import PROMISE, Row
from face_scaling.traffic import EVENTS


@dataclass(frozen=True)
class Minutes:
    """A day by the minute: requests a second, pods that there were and that took calls, waits in the queue in
    milliseconds, requests refused, late or given up."""

    due: list[float]
    pods: list[float]
    serving: list[float]
    wait_p50_ms: list[float]
    wait_p95_ms: list[float]
    wait_p99_ms: list[float]
    missed: list[int]

    @classmethod
    def of(cls, outcome: Outcome) -> "Minutes":
        counts, minutes = outcome.counts, len(outcome.pods)
        p50, p95, p99 = (
            [round(1e3 * percentile(each, share), 1) for each in counts.waits[:minutes]] for share in (0.5, 0.95, 0.99)
        )
        missed = (counts.refused + counts.gave_up + counts.late)[:minutes]
        return cls(
            [round(float(each), 2) for each in counts.due[:minutes] / 60],
            [round(float(each), 2) for each in outcome.pods],
            [round(float(each), 2) for each in outcome.serving],
            p50,
            p95,
            p99,
            [int(each) for each in missed],
        )


@dataclass(frozen=True)
class Compared:
    """One load, measured and simulated."""

    point: Point
    simulated: Simulated


@dataclass(frozen=True)
class ScalingReport:
    """source: where the service times were measured. scaling: what the chart says. rows: of all numbers tried, `chart`
    the chart's among them. suggested: the cheapest that keeps the promise."""

    machine: Machine
    profile: str
    source: str
    assumed: str
    scaling: Scaling
    hours: tuple[int, int]
    capacity: float
    compared: list[Compared]
    chart: Row
    rows: list[Row]
    hindsight: Row
    suggested: Row
    day: Minutes
    day_in_hindsight: Minutes

    @property
    def text(self) -> list[str]:
        hours = "; ".join(f"{int(hour):02d}:{round(60 * (hour % 1)):02d} {what}" for hour, what in EVENTS)
        found = self.suggested
        verdict = "The cheapest that keeps it: " if found.keeps_promise else "None keeps it; the nearest: "
        return [
            f"Service times: {self.source}.",
            f"A replica answers {self.capacity:.1f} requests a second. {self.assumed}",
            f"The day: {hours}.",
            f"Promise: at most {PROMISE:.0%} of the requests answered after a second, refused or given up. {verdict}"
            f"target {found.target:g}, {found.window_s:g} s.",
        ]


def tables(report: ScalingReport) -> list[Table]:
    return [_rules(report), _validation(report)]


_HEADER = (
    "rule", "wait p50 ms", "wait p95 ms", "wait p99 ms", "answer p99 ms", "over 1 s %", "refused %", "gave up %",
    "replica-hours", "× hindsight", "changes",
)  # fmt: skip


def _rules(report: ScalingReport) -> Table:
    rows = [("hindsight", report.hindsight), ("the chart's", report.chart)]
    rows += [(f"{each.target:g}, {each.window_s:g} s", each) for each in report.rows]
    return Table(
        "Rules: requests that may wait a replica, and seconds before there are fewer",
        _HEADER,
        tuple((name, *_cells(each, report.hindsight)) for name, each in rows),
        notes=(f"hindsight: replicas by what came, never fuller than {report.hindsight.load:.0%} in ten seconds.",),
    )


def _cells(row: Row, hindsight: Row) -> tuple[str, ...]:
    waits = (row.wait_p50_ms, row.wait_p95_ms, row.wait_p99_ms, row.answer_p99_ms)
    shares = (row.late, row.refused, row.gave_up)
    return (
        *(f"{each:.0f}" for each in waits),
        *(f"{100 * each:.2f}" for each in shares),
        f"{row.replica_hours:.1f}",
        f"{row.replica_hours / hindsight.replica_hours:.2f}",
        str(row.changes),
    )


def _validation(report: ScalingReport) -> Table:
    rows = []
    for each in report.compared:
        point, simulated = each.point, each.simulated
        load = f"{point.clients} clients" if point.clients else f"{point.offered:g} a second"
        queue = ", bounded" if point.bounded else ""
        rows.append(
            (
                load + queue,
                *(
                    f"{optional(measured, spec)} / {optional(model, spec)}"
                    for measured, model, spec in (
                        (point.goodput, simulated.goodput, ".1f"),
                        (point.p50_ms, simulated.p50_ms, ".0f"),
                        (point.p95_ms, simulated.p95_ms, ".0f"),
                        (point.p99_ms, simulated.p99_ms, ".0f"),
                        (point.pending, simulated.pending, ".2f"),
                        (100 * point.refused, 100 * simulated.refused, ".1f"),
                    )
                ),
                optional(point.other_cores, ".2f"),
            )
        )
    return Table(
        "One replica: measured / simulated",
        ("load", "good a second", "p50 ms", "p95 ms", "p99 ms", "wait", "refused %", "others' cores"),
        tuple(rows),
    )
