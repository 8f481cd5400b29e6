"""What `make soak` found out: what was wrong, and whether something grows.

Growth is taken over the second half of the samples, since the first one fills pools and caches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from face_bench.machine import Machine
from face_bench.output import Table, errors_text
from face_bench.processes import ServerState
from face_bench.spread import slope
from face_load.report import percentile_cells
from face_load.samples import Summary

MB = 1e6

# Triton's Python backend grows its shared memory in steps of 16 MiB. One step is no slope; where it comes in the middle
# of the second half, the line through the samples rises by one and a half.
_SHARED_MEMORY_MB = 1.5 * 16.8
_MEMORY_SHARE = 0.05
_OPEN_FILES = 4.0


@dataclass(frozen=True)
class SoakSample:
    """at: seconds from the start of the load."""

    at: float
    state: ServerState


@dataclass(frozen=True)
class Supervised:
    """What the supervisor of `faces serve` had to do."""

    canaries_failed: int
    renewals: int
    restarts: int


@dataclass(frozen=True)
class Trend:
    """One thing over the second half of a run.

    largest: of the whole run. growth: of the straight line through the samples (least squares), from the middle of the
    run to its end, `seconds` later. allowed: the most that counts as none.
    """

    what: str
    unit: str
    largest: float
    growth: float
    seconds: float
    allowed: float

    @property
    def an_hour(self) -> float:
        """The growth if it went on for an hour."""
        return 3600 * self.growth / self.seconds

    @property
    def holds(self) -> bool:
        """False where there were too few samples to tell."""
        return self.growth <= self.allowed


@dataclass(frozen=True)
class SoakReport:
    """over_time: the load in equal parts of the run. models: those loaded."""

    machine: Machine
    models: tuple[str, ...]
    load: str
    summary: Summary
    over_time: list[Summary]
    supervised: Supervised
    samples: list[SoakSample]
    trends: list[Trend]

    @property
    def started_meanwhile(self) -> int:
        """Processes that were not there at the first sample: replacements of some that died."""
        identities = [{(p.pid, p.started) for p in sample.state.processes} for sample in self.samples]
        return len(set().union(*identities) - identities[0])

    @property
    def checks(self) -> tuple[tuple[str, str, bool], ...]:
        """What was looked for, what was found, whether all is well."""
        done = self.supervised
        return (
            ("errors", errors_text(self.summary.errors), not self.summary.errors),
            ("restarts of the server", str(done.restarts), done.restarts == 0),
            ("instances replaced", str(done.renewals), done.renewals == 0),
            ("processes started meanwhile", str(self.started_meanwhile), self.started_meanwhile == 0),
            ("canaries failed", str(done.canaries_failed), done.canaries_failed == 0),
            *((f"growth of {t.what}", f"{t.growth:+z.1f} {t.unit}", t.holds) for t in self.trends),
        )

    @property
    def is_well(self) -> bool:
        return all(well for *_, well in self.checks)

    @property
    def text(self) -> list[str]:
        wrong = [what for what, _, well in self.checks if not well]
        return [
            f"{self.load}. "
            + (f"Wrong: {', '.join(wrong)}." if wrong else "No error, no restart, no slope.")
            + " Growth is that of the straight line through the second half of the samples."
        ]


def trend(what: str, unit: str, times: Sequence[float], values: Sequence[float], allowed: float) -> Trend:
    """times: seconds, ascending, at least one."""
    middle = (times[0] + times[-1]) / 2
    second = [(at, value) for at, value in zip(times, values, strict=True) if at >= middle]
    rise = slope([at for at, _ in second], [value for _, value in second])
    seconds = times[-1] - middle
    return Trend(what, unit, max(values), rise * seconds, seconds, allowed)


def trends(samples: Sequence[SoakSample]) -> list[Trend]:
    """Of the server as a whole, with what counts as none."""
    times = [sample.at for sample in samples]
    memory = [sample.state.pss / MB for sample in samples]
    shared = [sample.state.shared_memory / MB for sample in samples]
    files = [float(sample.state.open_files) for sample in samples]
    return [
        trend("memory (PSS)", "MB", times, memory, _MEMORY_SHARE * max(memory)),
        trend("shared memory", "MB", times, shared, _SHARED_MEMORY_MB),
        trend("open files", "", times, files, _OPEN_FILES),
    ]


def tables(report: SoakReport) -> list[Table]:
    return [_check_table(report), _trend_table(report), _process_table(report), _time_table(report)]


def _check_table(report: SoakReport) -> Table:
    rows = (
        ("requests", str(report.summary.requests), ""),
        ("good answers a second", f"{report.summary.goodput:.1f}", ""),
        ("bad requests refused", str(report.summary.refused), ""),
        *((what, found, "yes" if well else "no") for what, found, well in report.checks),
    )
    return Table("Soak", ("", "found", "well"), rows)


def _trend_table(report: SoakReport) -> Table:
    rows = tuple(
        (t.what, t.unit, f"{t.largest:.1f}", f"{t.growth:+z.1f}", f"{t.allowed:.1f}", f"{t.an_hour:+z.1f}")
        for t in report.trends
    )
    header = ("", "unit", "largest", "growth, second half", "allowed", "as growth an hour")
    return Table("Slopes", header, rows, labels=2)


def _process_table(report: SoakReport) -> Table:
    """Each process that lived to the end; its memory is not judged alone."""
    rows = []
    for last in report.samples[-1].state.processes:
        seen = [
            (sample.at, use)
            for sample in report.samples
            for use in sample.state.processes
            if (use.pid, use.started) == (last.pid, last.started)
        ]
        memory = trend(last.name, "MB", [at for at, _ in seen], [use.rss / MB for _, use in seen], float("inf"))
        rows.append(
            (
                last.name,
                f"{memory.largest:.0f}",
                f"{memory.growth:+z.1f}",
                f"{last.pss / MB:.0f}",
                str(max(use.open_files for _, use in seen)),
            )
        )
    header = ("process", "largest RSS, MB", "growth of RSS, second half, MB", "PSS at the end, MB", "most open files")
    return Table("Processes", header, tuple(rows))


def _time_table(report: SoakReport) -> Table:
    starts = [sum(part.seconds for part in report.over_time[:n]) / 60 for n in range(len(report.over_time))]
    rows = tuple(
        (
            f"{start:.1f}",
            str(part.requests),
            f"{part.goodput:.1f}",
            *percentile_cells(part.good),
            errors_text(part.errors),
        )
        for start, part in zip(starts, report.over_time, strict=True)
    )
    header = ("minute", "requests", "good/s", "p50 ms", "p95 ms", "p99 ms", "errors")
    return Table("Over time", header, rows)
