"""The report as one picture: latency, where the time goes, throughput and latency under load."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from face_bench.contenders import OURS, OURS_JPEG, OURS_RAW
from face_bench.machine import Machine
from face_bench.peer_worker import FACENET_PYTORCH, IPAZC_MTCNN
from face_bench.report import Report
from face_bench.stages import Breakdown

T = TypeVar("T")

_STYLE = Path(__file__).with_name("report.mplstyle")
_PANEL_INCHES = (7.2, 4.6)
_TITLE_INCHES = 0.5

MAX_PICTURES = 6
"""More would be bars too thin to read; the tables have them all."""

TEAL, YELLOW, ORANGE, GREY = "#1b7f79", "#e8b04a", "#e07a3f", "#999999"
"""Of all reports' pictures."""

_OURS_COLOUR = TEAL
_COLOURS = {
    OURS_RAW: _OURS_COLOUR,
    OURS_JPEG: "#6cc3b8",
    FACENET_PYTORCH: ORANGE,
    IPAZC_MTCNN: "#b9b4ab",
}
_STAGE_COLOURS = {
    "decode": "#8d6a9f",
    "integral": "#b8a1c9",
    "pnet": TEAL,
    "rnet": YELLOW,
    "onet": ORANGE,
    "nms": "#9c4a2f",
    "other": "#6b5b4b",
    "answer": "#3f3a36",
    "transport": "#d5d2cb",
}
_OTHER_COLOUR = "#777777"


def plot(report: Report, path: Path) -> bool:
    """Writes the PNG; False where there is nothing to draw. Panels of parts that were not run are left out."""
    panels = [
        draw
        for draw, present in (
            (_draw_latency, bool(report.latency)),
            (_draw_stages, any(b.stages for b in report.stages)),
            (_draw_throughput, bool(report.sweep)),
            (_draw_latency_under_load, bool(report.sweep)),
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
        figure.suptitle(machine.line, fontsize=8.5, color="#666666", x=0.01, ha="left")
        figure.savefig(path)


def _pictures(report: Report) -> list[str]:
    return list(dict.fromkeys(latency.picture for latency in report.latency))[:MAX_PICTURES]


def _draw_latency(axes: Axes, report: Report) -> None:
    pictures = _pictures(report)
    contenders = list(dict.fromkeys(latency.contender for latency in report.latency))
    width = 0.8 / len(contenders)
    found = {(latency.picture, latency.contender): latency.milliseconds for latency in report.latency}
    ratio = {(r.picture, r.peer): r.ratio for r in report.ratios if r.ours == OURS_RAW}
    for n, contender in enumerate(contenders):
        places = [i + (n - (len(contenders) - 1) / 2) * width for i in range(len(pictures))]
        shown = [(x, found[p, contender]) for x, p in zip(places, pictures, strict=True) if (p, contender) in found]
        xs = [x for x, _ in shown]
        medians = [spread.median for _, spread in shown]
        whiskers = [
            [spread.median - spread.quartile_1 for _, spread in shown],
            [spread.quartile_3 - spread.median for _, spread in shown],
        ]
        colour = _COLOURS.get(contender, _OTHER_COLOUR)
        axes.bar(xs, medians, 0.92 * width, color=colour, label=contender, yerr=whiskers, ecolor="#555555")
        for x, (_, spread) in zip(xs, shown, strict=True):
            _annotate(axes, x, spread.quartile_3, f"{spread.median:.0f}", bold=contender in OURS)
        for x, picture in zip(places, pictures, strict=True):
            if (picture, contender) in ratio:
                _inside(axes, x, f"{ratio[picture, contender]:.1f}×")
    axes.set_xticks(range(len(pictures)), pictures)
    axes.set_ylabel("milliseconds")
    axes.set_title("Latency of one client: median, quartiles, × ours raw")
    axes.margins(y=0.12)
    axes.legend()


def _annotate(axes: Axes, x: float, y: float, text: str, bold: bool = False) -> None:
    axes.annotate(
        text,
        (x, y),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize=9,
        color="#333333",
        fontweight="bold" if bold else "normal",
    )


def _inside(axes: Axes, x: float, text: str) -> None:
    """White, at the foot of a bar."""
    axes.annotate(
        text, (x, 0), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=9, color="white", weight="bold"
    )


def _draw_stages(axes: Axes, report: Report) -> None:
    # Horizontal bars grow upwards; the first picture belongs on top.
    bars = [b for b in report.stages if b.stages and b.picture in _pictures(report)][::-1]
    names = list(dict.fromkeys(name for b in reversed(bars) for name in b.stages))
    starts = [0.0] * len(bars)
    for name in names:
        lengths = [max(0.0, b.stages.get(name, 0.0)) for b in bars]
        axes.barh(range(len(bars)), lengths, 0.7, left=starts, color=_stage_colour(name), label=name)
        starts = [start + length for start, length in zip(starts, lengths, strict=True)]
    _draw_floors(axes, report, bars)
    axes.set_yticks(range(len(bars)), [f"{b.picture}\n{b.contender}" for b in bars])
    axes.set_xlabel("milliseconds")
    axes.set_title("Where our time goes")
    axes.legend(ncols=2, loc="lower right", fontsize=9)


def _stage_colour(name: str) -> str:
    return _STAGE_COLOURS.get(name, _OTHER_COLOUR)


def _draw_floors(axes: Axes, report: Report, bars: list[Breakdown]) -> None:
    floors = {(floor.picture, floor.contender): floor.floor_ms for floor in report.floor}
    for n, b in enumerate(bars):
        if (floor := floors.get((b.picture, b.contender))) is not None:
            label = "floor" if n == 0 else None
            axes.plot([floor, floor], [n - 0.42, n + 0.42], color="black", linewidth=2, label=label)


def _draw_throughput(axes: Axes, report: Report) -> None:
    clients = [step.clients for step in report.sweep]
    rates = [step.images_per_second for step in report.sweep]
    axes.plot(clients, rates, marker="o", color=_OURS_COLOUR, linewidth=2)
    for x, y in zip(clients, rates, strict=True):
        _annotate(axes, x, y, f"{y:.1f}")
    axes.axhline(rates[0], color=GREY, linestyle=":", linewidth=1)
    _client_axis(axes, clients)
    axes.set_ylim(0, 1.2 * max(rates) or 1)
    axes.set_ylabel("images a second")
    axes.set_title("Throughput, mixed sizes")


def _draw_latency_under_load(axes: Axes, report: Report) -> None:
    clients = [step.clients for step in report.sweep]
    lines = (
        ("p99", [step.p99_ms for step in report.sweep], ORANGE),
        ("p95", [step.p95_ms for step in report.sweep], YELLOW),
        ("p50", [step.p50_ms for step in report.sweep], _OURS_COLOUR),
    )
    for name, values, colour in lines:
        axes.plot(clients, values, marker="o", color=colour, linewidth=2, label=name)
    for x, y in zip(clients, lines[0][1], strict=True):
        _annotate(axes, x, y, f"{y:.0f}")
    _client_axis(axes, clients)
    axes.set_ylim(0, 1.15 * max(lines[0][1]))
    axes.set_ylabel("milliseconds")
    axes.set_title("Latency under load, mixed sizes")
    axes.legend()


def _client_axis(axes: Axes, clients: list[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(clients, [str(n) for n in clients])
    axes.minorticks_off()
    axes.set_xlabel("clients")
    axes.grid(axis="y", color="#eeeeee")
