"""Latency and goodput against load, as one picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from face_bench.plot import picture
from face_load.saturation_report import SaturationReport, Step

_P50, _P95, _P99 = "#1b7f79", "#e8b04a", "#e07a3f"
_GREY = "#999999"


def plot(report: SaturationReport, path: Path) -> None:
    """Writes the PNG."""
    picture((_draw_latency, _draw_goodput), report, report.machine, path)


def _draw_latency(axes: Axes, report: SaturationReport) -> None:
    steps = _by_rate(report)
    rates = [step.rate for step in steps]
    for name, colour in (("p99", _P99), ("p95", _P95), ("p50", _P50)):
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
    axes.axhline(report.p95_ms, color=_GREY, linestyle=":", linewidth=1)
    _mark_sustainable(axes, report)
    axes.set_ylim(0)
    axes.set_ylabel("milliseconds from when due")
    axes.set_title("Latency against load")
    axes.legend()


def _draw_goodput(axes: Axes, report: SaturationReport) -> None:
    steps = _by_rate(report)
    rates = [step.rate for step in steps]
    axes.plot(rates, [s.summary.goodput for s in steps], marker="o", color=_P50, linewidth=2, label="good answers")
    axes.plot([0, max(rates)], [0, max(rates)], color=_GREY, linestyle=":", linewidth=1, label="all of them")
    _mark_sustainable(axes, report)
    axes.set_ylim(0, 1.5 * report.overload.peak)
    axes.set_ylabel("a second")
    axes.set_title("Goodput against load")
    axes.legend(loc="lower right")


def _by_rate(report: SaturationReport) -> Sequence[Step]:
    return sorted(report.steps, key=lambda step: step.rate)


def _mark_sustainable(axes: Axes, report: SaturationReport) -> None:
    axes.axvline(report.sustainable, color=_P50, linestyle="--", linewidth=1)
    axes.annotate(
        f"{report.sustainable:.1f}/s sustained",
        (report.sustainable, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -10),
        textcoords="offset points",
        fontsize=9,
        color=_P50,
    )
    axes.set_xlim(0)
    axes.set_xlabel("requests a second")
    axes.grid(axis="y", color="#eeeeee")
