"""A simulated day as a picture: what came, who was there, who waited, and what other numbers would have cost."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from face_bench.plots import GREY, ORANGE, TEAL, YELLOW, picture
from face_scaling.report import ScalingReport
from face_scaling.sweep import PROMISE

_LEAST_SHARE, _LEAST_MS = 1e-5, 1.0


def draw(report: ScalingReport, path: Path) -> None:
    picture((_arrivals, _replicas, _waits, _cost), report, report.machine, path)


def _hours(report: ScalingReport) -> list[float]:
    return [report.hours[0] + minute / 60 for minute in range(len(report.day.due))]


def _arrivals(axes: Axes, report: ScalingReport) -> None:
    due = report.day.due
    axes.fill_between(_hours(report), due, color=TEAL, alpha=0.25, linewidth=0)
    axes.plot(_hours(report), due, color=TEAL, linewidth=1)
    _over_the_day(axes, report, "Arrivals", "requests a second")
    axes.set_ylim(0)


def _replicas(axes: Axes, report: ScalingReport) -> None:
    needed = [rate / report.capacity for rate in report.day.due]
    hours = _hours(report)
    axes.plot(hours, needed, color=GREY, linewidth=1, label="that would just do, all busy")
    axes.step(hours, report.day_in_hindsight.pods, color=YELLOW, linewidth=1.2, label="in hindsight", where="post")
    axes.step(hours, report.day.pods, color=TEAL, linewidth=1.6, label="by the chart's rule", where="post")
    _over_the_day(axes, report, "Replicas", "pods")
    axes.set_ylim(0, 1.35 * max(*report.day.pods, *report.day_in_hindsight.pods))
    axes.legend(loc="upper left", ncols=3, fontsize=9)


def _waits(axes: Axes, report: ScalingReport) -> None:
    day = report.day
    for name, values, colour in (
        ("p99", day.wait_p99_ms, ORANGE),
        ("p95", day.wait_p95_ms, YELLOW),
        ("p50", day.wait_p50_ms, TEAL),
    ):
        axes.plot(_hours(report), [max(_LEAST_MS, v) for v in values], color=colour, linewidth=1, label=name)
    axes.set_yscale("log")
    _over_the_day(axes, report, "Time in the queue, of each minute's requests", "milliseconds")
    axes.legend(loc="upper left", ncols=3)


def _cost(axes: Axes, report: ScalingReport) -> None:
    targets = sorted({row.target for row in report.rows if row.target is not None})
    for n, target in enumerate(targets):
        rows = sorted((row for row in report.rows if row.target == target), key=lambda row: row.window_s or 0)
        shade = 0.15 + 0.75 * n / max(1, len(targets) - 1)
        axes.plot(
            [row.replica_hours for row in rows],
            [100 * max(_LEAST_SHARE, row.missed) for row in rows],
            marker="o",
            markersize=4,
            linewidth=1,
            color=(0.1 + 0.8 * shade, 0.5 - 0.05 * shade, 0.5 - 0.25 * shade),
            label=f"{target:g}",
        )
    for row, marker, name in ((report.hindsight, "*", "hindsight"), (report.chart, "D", "the chart's")):
        share = 100 * max(_LEAST_SHARE, row.missed)
        axes.plot(row.replica_hours, share, marker, color="black", markersize=9, label=name, fillstyle="none")
    axes.axhline(100 * PROMISE, color=GREY, linestyle=":", linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("replica-hours")
    axes.set_ylabel("late, refused or given up, %")
    axes.set_title("Targets: what they cost and whom they fail")
    axes.grid(axis="y", color="#eeeeee")
    axes.legend(fontsize=9, ncols=2, title="target; points: windows")


def _over_the_day(axes: Axes, report: ScalingReport, title: str, unit: str) -> None:
    first, last = report.hours
    axes.set_xlim(first, last)
    axes.set_xticks(range(first, last + 1, max(1, (last - first) // 6)))
    axes.set_xlabel("hour of the day")
    axes.set_ylabel(unit)
    axes.set_title(title)
    axes.grid(axis="y", color="#eeeeee")
