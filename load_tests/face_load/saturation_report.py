"""What `make saturate` found out."""

from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.table import Table, errors_text, optional
from face_load.cells import percentile_cells
from face_load.overload import Overload
from face_load.server_use import ServerUse
from face_load.summary import Summary

QUIET_CORES = 0.1
"""Where others use more, times are theirs as well."""


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
