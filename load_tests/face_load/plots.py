"""The reports of `saturate` and `soak` as pictures."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from face_bench.plots import GREY, ORANGE, TEAL, YELLOW, picture
from face_load.saturation_report import SaturationReport, Step
from face_load.soak_report import MB, SoakReport


def draw_saturation(report: SaturationReport, path: Path) -> None:
    """Latency and goodput against load. Writes the PNG."""
    picture((_latency, _goodput), report, report.machine, path)


def _latency(axes: Axes, report: SaturationReport) -> None:
    steps = _by_rate(report)
    rates = [step.rate for step in steps]
    for name, colour in (("p99", ORANGE), ("p95", YELLOW), ("p50", TEAL)):
        values = [getattr(step.summary.good, name) for step in steps]
        axes.plot(rates, values, marker="o", color=colour, linewidth=2, label=name)
    rejected = [step for step in steps if step.summary.rejected.p99 == step.summary.rejected.p99]
    axes.plot(
        [step.rate for step in rejected],
        [step.summary.rejected.p99 for step in rejected],
        linestyle="none",
        marker="x",
        color="black",
        label="rejected, p99",
    )
    axes.axhline(report.p95_ms, color=GREY, linestyle=":", linewidth=1)
    _mark_sustainable(axes, report)
    axes.set_ylim(0)
    axes.set_ylabel("milliseconds from when due")
    axes.set_title("Latency against load")
    axes.legend()


def _goodput(axes: Axes, report: SaturationReport) -> None:
    steps = _by_rate(report)
    rates = [step.rate for step in steps]
    axes.plot(rates, [s.summary.goodput for s in steps], marker="o", color=TEAL, linewidth=2, label="good answers")
    axes.plot([0, max(rates)], [0, max(rates)], color=GREY, linestyle=":", linewidth=1, label="all of them")
    _mark_sustainable(axes, report)
    axes.set_ylim(0, 1.5 * report.overload.peak)
    axes.set_ylabel("a second")
    axes.set_title("Goodput against load")
    axes.legend(loc="lower right")


def _by_rate(report: SaturationReport) -> Sequence[Step]:
    return sorted(report.steps, key=lambda step: step.rate)


def _mark_sustainable(axes: Axes, report: SaturationReport) -> None:
    axes.axvline(report.sustainable, color=TEAL, linestyle="--", linewidth=1)
    axes.annotate(
        f"{report.sustainable:.1f}/s sustained",
        (report.sustainable, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -10),
        textcoords="offset points",
        fontsize=9,
        color=TEAL,
    )
    axes.set_xlim(0)
    axes.set_xlabel("requests a second")
    axes.grid(axis="y", color="#eeeeee")


def draw_soak(report: SoakReport, path: Path) -> None:
    """Memory, shared memory, open files, and the load, over time. Writes the PNG."""
    picture((_memory, _shared_memory, _open_files, _load_over_time), report, report.machine, path)


def _memory(axes: Axes, report: SoakReport) -> None:
    series: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for sample in report.samples:
        for use in sample.state.processes:
            series[use.name, use.pid].append((sample.at / 60, use.rss / MB))
    for (name, _), points in series.items():
        axes.plot(*zip(*points, strict=True), linewidth=1, label=f"{name}, RSS")
    axes.plot(
        _minutes(report), [s.state.pss / MB for s in report.samples], color="black", linewidth=2, label="all, PSS"
    )
    _over_minutes(axes, "Memory", "MB")
    # Room for a dozen names.
    axes.set_ylim(0, 1.6 * max(s.state.pss for s in report.samples) / MB)
    axes.legend(fontsize=8, ncols=3, loc="upper left")


def _shared_memory(axes: Axes, report: SoakReport) -> None:
    axes.plot(_minutes(report), [s.state.shared_memory / MB for s in report.samples], color=TEAL, linewidth=2)
    _over_minutes(axes, "Shared memory", "MB")


def _open_files(axes: Axes, report: SoakReport) -> None:
    axes.plot(_minutes(report), [s.state.open_files for s in report.samples], color=TEAL, linewidth=2)
    _over_minutes(axes, "Open files", "of all processes")


def _load_over_time(axes: Axes, report: SoakReport) -> None:
    ends = [sum(part.seconds for part in report.over_time[: n + 1]) / 60 for n in range(len(report.over_time))]
    middles = [end - part.seconds / 120 for end, part in zip(ends, report.over_time, strict=True)]
    axes.plot(middles, [part.goodput for part in report.over_time], color=TEAL, linewidth=2)
    _over_minutes(axes, "Load and its latency", "good answers a second")
    axes.yaxis.label.set_color(TEAL)
    right = axes.twinx()
    right.plot(middles, [part.good.p95 for part in report.over_time], color=ORANGE, linewidth=2)
    right.set_ylim(0)
    right.set_ylabel("p95, milliseconds", color=ORANGE)
    right.spines["right"].set_visible(True)


def _minutes(report: SoakReport) -> list[float]:
    return [sample.at / 60 for sample in report.samples]


def _over_minutes(axes: Axes, title: str, unit: str) -> None:
    axes.set_ylim(0)
    axes.set_xlabel("minutes")
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.grid(axis="y", color="#eeeeee")
