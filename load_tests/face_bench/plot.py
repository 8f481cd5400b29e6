"""The report as one picture: latency, where the time goes, throughput and latency under load."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from face_bench.machine import Machine
from face_bench.plot_panels import draw_latency, draw_latency_under_load, draw_stages, draw_throughput
from face_bench.render import machine_line
from face_bench.report import Report

T = TypeVar("T")

_STYLE = Path(__file__).with_name("report.mplstyle")
_PANEL_INCHES = (7.2, 4.6)
_TITLE_INCHES = 0.5


def plot(report: Report, path: Path) -> bool:
    """Writes the PNG; False where there is nothing to draw. Panels of parts that were not run are left out."""
    panels = [
        draw
        for draw, present in (
            (draw_latency, bool(report.latency)),
            (draw_stages, any(b.stages for b in report.stages)),
            (draw_throughput, bool(report.sweep)),
            (draw_latency_under_load, bool(report.sweep)),
        )
        if present
    ]
    if not panels:
        return False
    picture(panels, report, report.machine, path)
    return True


def picture(panels: Sequence[Callable[[Axes, T], None]], report: T, machine: Machine, path: Path) -> None:
    """Writes panels, two in a row, each drawn from the report on axes of its own."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    width, height = _PANEL_INCHES
    with style.context(str(_STYLE)):
        layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15, wspace=0.04, hspace=0.05)
        figure = Figure(figsize=(width * columns, height * rows + _TITLE_INCHES), layout=layout)
        for n, draw in enumerate(panels, start=1):
            draw(figure.add_subplot(rows, columns, n), report)
        figure.suptitle(machine_line(machine), fontsize=8.5, color="#666666", x=0.01, ha="left")
        figure.savefig(path)
