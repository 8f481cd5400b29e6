"""Memory, shared memory, open files, and the load, over a soak."""

from collections import defaultdict
from pathlib import Path

from matplotlib.axes import Axes

from face_bench.plot import picture
from face_load.soak_report import SoakReport

_MB = 1e6
_OURS, _OTHER = "#1b7f79", "#e07a3f"


def plot(report: SoakReport, path: Path) -> None:
    """Writes the PNG."""
    picture((_draw_memory, _draw_shared_memory, _draw_open_files, _draw_load), report, report.machine, path)


def _draw_memory(axes: Axes, report: SoakReport) -> None:
    series: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for sample in report.samples:
        for use in sample.state.processes:
            series[use.name, use.pid].append((sample.at / 60, use.rss / _MB))
    for (name, _), points in series.items():
        axes.plot(*zip(*points, strict=True), linewidth=1, label=f"{name}, RSS")
    axes.plot(
        _minutes(report), [s.state.pss / _MB for s in report.samples], color="black", linewidth=2, label="all, PSS"
    )
    _finish(axes, "Memory", "MB")
    # Room for a dozen names.
    axes.set_ylim(0, 1.6 * max(s.state.pss for s in report.samples) / _MB)
    axes.legend(fontsize=8, ncols=3, loc="upper left")


def _draw_shared_memory(axes: Axes, report: SoakReport) -> None:
    axes.plot(_minutes(report), [s.state.shared_memory / _MB for s in report.samples], color=_OURS, linewidth=2)
    _finish(axes, "Shared memory", "MB")


def _draw_open_files(axes: Axes, report: SoakReport) -> None:
    axes.plot(_minutes(report), [s.state.open_files for s in report.samples], color=_OURS, linewidth=2)
    _finish(axes, "Open files", "of all processes")


def _draw_load(axes: Axes, report: SoakReport) -> None:
    ends = [sum(part.seconds for part in report.over_time[: n + 1]) / 60 for n in range(len(report.over_time))]
    middles = [end - part.seconds / 120 for end, part in zip(ends, report.over_time, strict=True)]
    axes.plot(middles, [part.goodput for part in report.over_time], color=_OURS, linewidth=2)
    _finish(axes, "Load and its latency", "good answers a second")
    axes.yaxis.label.set_color(_OURS)
    right = axes.twinx()
    right.plot(middles, [part.good.p95 for part in report.over_time], color=_OTHER, linewidth=2)
    right.set_ylim(0)
    right.set_ylabel("p95, milliseconds", color=_OTHER)
    right.spines["right"].set_visible(True)


def _minutes(report: SoakReport) -> list[float]:
    return [sample.at / 60 for sample in report.samples]


def _finish(axes: Axes, title: str, unit: str) -> None:
    axes.set_ylim(0)
    axes.set_xlabel("minutes")
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.grid(axis="y", color="#eeeeee")
