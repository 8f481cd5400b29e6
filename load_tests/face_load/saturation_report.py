"""What `make saturate` found out: a step for each rate, and the verdict on overload.

A server that is asked for more than it can do should do as much as ever, answer what it lets in about as fast as
before, and refuse the rest at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.output import Table, errors_text, optional
from face_bench.processes import QUIET_CORES, ServerUse
from face_load.report import percentile_cells
from face_load.samples import Summary

LEAST_GOODPUT = 0.9
"""Of the best goodput of the same run."""

MOST_P95 = 2.0
"""Times the p95 at the sustainable rate."""

SLOWEST_REJECTION_MS = 100.0
"""For 99 of 100 rejections; the rest may meet a load generator that has no processor to read them."""


@dataclass(frozen=True)
class Overload:
    """rate: requests a second that were sent. peak: the best goodput of the run."""

    rate: float
    summary: Summary
    peak: float
    sustainable_p95_ms: float

    @property
    def goodput_share(self) -> float:
        return self.summary.goodput / self.peak

    @property
    def p95_ratio(self) -> float:
        return self.summary.good.p95 / self.sustainable_p95_ms

    @property
    def checks(self) -> tuple[tuple[str, str, str, bool], ...]:
        """What was asked, what was found, what is allowed, whether it holds. What was not seen does not hold."""
        rejected = self.summary.rejected.p99
        return (
            (
                "goodput, of the peak",
                f"{self.goodput_share:.0%}",
                f"≥ {LEAST_GOODPUT:.0%}",
                self.goodput_share >= LEAST_GOODPUT,
            ),
            (
                "p95 of what was let in, × that at the sustainable rate",
                f"{self.p95_ratio:.2f}",
                f"≤ {MOST_P95:g}",
                self.p95_ratio <= MOST_P95,
            ),
            (
                "rejected within, p99",
                f"{optional(rejected, '.0f')} ms",
                f"< {SLOWEST_REJECTION_MS:g} ms",
                rejected < SLOWEST_REJECTION_MS,
            ),
        )

    @property
    def holds(self) -> bool:
        return all(holds for *_, holds in self.checks)


def peak(summaries: Sequence[Summary]) -> float:
    """The best goodput."""
    return max(summary.goodput for summary in summaries)


@dataclass(frozen=True)
class Step:
    """One rate for a while. rate: requests a second that were asked for."""

    rate: float
    summary: Summary
    use: ServerUse
    generator_cores: float
    sustained: bool


def better(first: Step, second: Step) -> Step:
    """Of two tries of one rate: the one that was sustained, or else the one that came nearer."""
    return min((first, second), key=lambda step: (not step.sustained, step.summary.good.p95))


@dataclass(frozen=True)
class SaturationReport:
    """steps: in the order of the search, the overload last. sustainable: requests a second. models: those loaded."""

    machine: Machine
    models: tuple[str, ...]
    options: tuple[str, ...]
    p95_ms: float
    errors_percent: float
    sustainable: float
    steps: list[Step]
    overload: Overload

    @property
    def text(self) -> list[str]:
        others = max(step.use.other_cores for step in self.steps)
        busy = (
            f"Everything else on the machine used up to {others:.2f} cores meanwhile: measure again when it is quiet."
        )
        return [
            f"{self.sustainable:.1f} requests a second are sustained: 95 of 100 answers within {self.p95_ms:g} ms, "
            f"errors at most {self.errors_percent:g} %. "
            f"At {self.overload.rate:.1f} the server {'holds' if self.overload.holds else 'does not hold'}. "
            "Requests come at random times (Poisson), whether or not the ones before are answered; latency counts from "
            "when a request was due. A rate that failed was tried once more, and the better try counts.",
            *([busy] if others > QUIET_CORES else []),
        ]


def tables(report: SaturationReport) -> list[Table]:
    return [_overload_table(report), _step_table(report)]


def _overload_table(report: SaturationReport) -> Table:
    rows = tuple(
        (what, found, allowed, "yes" if holds else "no") for what, found, allowed, holds in report.overload.checks
    )
    rejections = f"the slowest rejection took {optional(report.overload.summary.slowest_rejection_ms, '.0f')} ms"
    return Table(
        f"Overload: {report.overload.rate:.1f} requests a second",
        ("", "found", "allowed", "holds"),
        rows,
        notes=(rejections,),
    )


def _step_table(report: SaturationReport) -> Table:
    rows = tuple(
        (
            f"{step.rate:.1f}",
            f"{step.summary.offered:.1f}",
            f"{step.summary.goodput:.1f}",
            *percentile_cells(step.summary.good),
            percentile_cells(step.summary.rejected)[-1],
            errors_text(step.summary.errors),
            optional(step.use.batch.get("mtcnn"), ".2f"),
            *(f"{v:.2f}" for v in (step.use.server_cores, step.generator_cores, step.use.other_cores)),
            optional(step.summary.late_p99_ms, ".0f"),
            "yes" if step.sustained else "no",
        )
        for step in sorted(report.steps, key=lambda step: step.rate)
    )
    header = (
        "rate",
        "offered/s",
        "good/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "rejected in, p99 ms",
        "errors",
        "batch mtcnn",
        "server cores",
        "load generator",
        "others",
        "late p99 ms",
        "sustained",
    )
    note = "late: how much later than due the load generator itself sent; it counts as latency of answers"
    return Table("Rates", header, rows, notes=(note,))
