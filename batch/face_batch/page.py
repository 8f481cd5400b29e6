"""The page that a run leaves: one HTML file, its plots drawn inside of it, with no script and nothing to load."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from face_batch.schema import ERRORS, OK

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --paper: #fff; --line: #d5dbe2; --soft: #5c6b7c; --bar: #2f6fb0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ef; --paper: #14181d; --line: #343c46; --soft: #9aa7b5; --bar: #6aa7e4; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin-bottom: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin-top: 2.5rem; }
h1 + p { margin-top: .3rem; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem 1.5rem; }
.numbers div { line-height: 1.3; } .numbers b { display: block; font-size: 1.7rem; }
.numbers span { color: var(--soft); }
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 1.5rem; }
.side svg { width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
td, th { border-top: 1px solid var(--line); padding: .3rem .8rem .3rem 0; vertical-align: top; }
td { overflow-wrap: anywhere; } th { white-space: nowrap; }
.side th { font-weight: 400; color: var(--soft); }
td.number { text-align: right; white-space: nowrap; } .examples p { margin: 0 0 .4rem; }
"""

# Names of files stand in it: whatever they hold, nothing is run or loaded.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

# matplotlib writes colours; these stand for the page's own, which follow light and dark.
_COLOURS = {"#010203": "var(--ink)", "#040506": "var(--bar)", "#070809": "var(--line)"}
_INK, _BAR, _LINE = _COLOURS

_RC: dict[Any, Any] = {
    "svg.hashsalt": "faces",
    # Text, not outlines, and as it is: a `$` begins no formula.
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
}
_INCHES = (5.2, 2.6)
# Bars lie no thicker than if there were so many.
_LEAST_BARS = 5


def page(address: str, told: Mapping[str, Any]) -> str:
    """The page of a target at an address. told: what report.json says."""
    source = escape(told["run"]["source"])
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Faces of {source}</title><style>{_STYLE}</style></head><body>
<h1>Faces of {source}</h1>
<p class="soft">{escape(address)}</p>
<div class="numbers">{_numbers(told)}</div>
<h2>What was found</h2>
<div class="side">{_plots(told)}</div>
<h2>What could not be read</h2>
{_errors(told)}
<h2>The run</h2>
<div class="side">{_settings(told)}</div>
</body></html>
"""


def _numbers(told: Mapping[str, Any]) -> str:
    pictures, faces, read = told["pictures"], told["faces"], told["statuses"].get(OK, 0)
    shown = (
        (f"{pictures:,}", f"pictures, {told['frames']:,} of them frames" if told["frames"] else "pictures"),
        (f"{faces:,}", "faces"),
        (f"{told['with_faces'] / read:.0%}" if read else "–", "of what could be read shows a face"),
        (f"{pictures - read:,}", "could not be read"),
        (_size(told["file_bytes"]), f"of Parquet, {told['file_bytes'] / faces:,.0f} bytes a face" if faces else ""),
    )
    return "".join(f"<div><b>{number}</b><span>{text}</span></div>" for number, text in shown)


def _size(count: int) -> str:
    """Of a file, in the unit that fits."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"


def _plots(told: Mapping[str, Any]) -> str:
    drawn = [
        _plot("Faces a picture", _whole, told["faces_a_picture"]),
        _plot("Size of a face: its shorter side, pixels", _between, told["sizes"]),
        _plot("Probability of a face", _between, told["probabilities"]),
    ]
    return "\n".join([*drawn, _plot("What could not be read", _lying, told["errors"])] if told["errors"] else drawn)


def _plot(title: str, draw: Any, data: Mapping[str, Any]) -> str:
    """As SVG in the page's colours, the same text for the same numbers. draw: puts the data on the axes."""
    with rc_context(_RC):
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_title(title, color=_INK, loc="left", fontsize=10)
        axes.tick_params(colors=_INK, length=0, labelsize=8)
        axes.set_axisbelow(True)
        for side in axes.spines.values():
            side.set_visible(False)
        draw(axes, data)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    for written, meant in _COLOURS.items():
        svg = svg.replace(written, meant)
    # The groups' names are the same in each plot of a page.
    svg = re.sub(r'<g id="\w+">', "<g>", svg[svg.index("<svg") :])
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def _whole(axes: Axes, histogram: Mapping[str, Sequence[int]]) -> None:
    """Bins of whole numbers, each with its name below: `5-9`."""
    edges = histogram["edges"]
    names = [str(start) if end == start + 1 else f"{start}-{end - 1}" for start, end in pairwise(edges)]
    _standing(axes, histogram["counts"])
    axes.set_xticks(range(len(edges)), [*names, f"{edges[-1]}+"])


def _between(axes: Axes, histogram: Mapping[str, Sequence[Any]]) -> None:
    """Bins of other numbers, with the edges between them."""
    edges = histogram["edges"]
    _standing(axes, histogram["counts"])
    axes.set_xticks([place - 0.5 for place in range(len(edges))], [f"{edge:g}" for edge in edges])


def _standing(axes: Axes, counts: Sequence[int]) -> None:
    bars = axes.bar(range(len(counts)), counts, color=_BAR, width=0.92)
    axes.bar_label(bars, [_short(count) for count in counts], color=_INK, fontsize=7.5, padding=2)
    axes.set_xlim(-0.6, len(counts) - 0.4)
    axes.set_ylim(0, max(1, *counts) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: _short(value) or "0")
    axes.grid(axis="y", color=_LINE, linewidth=0.6)


def _lying(axes: Axes, counts: Mapping[str, int]) -> None:
    """A bar for each name, the first above."""
    bars = axes.barh(list(counts), list(counts.values()), color=_BAR, height=0.75)
    axes.bar_label(bars, [f"{count:,}" for count in counts.values()], color=_INK, fontsize=7.5, padding=3)
    axes.set_ylim(max(len(counts), _LEAST_BARS) - 0.5, -0.5)
    axes.set_xlim(0, max(counts.values()) * 1.12)
    axes.xaxis.set_visible(False)


def _short(count: float) -> str:
    """At most four digits, and nothing for none: it is to fit over a bar."""
    if count < 10_000:
        return f"{count:,.0f}" if count else ""
    unit, factor = ("M", 1e6) if count >= 999_500 else ("k", 1e3)
    return f"{count / factor:.3g}{unit}"


def _errors(told: Mapping[str, Any]) -> str:
    if not told["errors"]:
        return "<p>Nothing: all of it was looked at.</p>"
    rows = []
    for status, number in told["errors"].items():
        name = f"{escape(status)}<br><span class='soft'>{escape(ERRORS.get(status, ''))}</span>"
        examples = "".join(
            f"<p>{escape(each['path'])}<br><span class='soft'>{escape(each['error'])}</span></p>"
            for each in told["examples"].get(status, ())
        )
        rows.append(f"<tr><td>{name}</td><td class='number'>{number:,}</td><td class='examples'>{examples}</td></tr>")
    return f"<table><tr><th>status</th><th></th><th>the first of them</th></tr>{''.join(rows)}</table>"


def _settings(told: Mapping[str, Any]) -> str:
    """How it ran, what was asked for, and what gave the answers."""
    run = dict(told["run"])
    options, fingerprint = run.pop("options"), run.pop("fingerprint")
    asked = {name: value for name, value in {**run, **options}.items() if value not in (None, "")}
    tables = (("How it went", told["facts"]), ("What was asked for", asked), ("What found them", fingerprint))
    return "".join(_table(title, facts.items()) for title, facts in tables if facts)


def _table(title: str, facts: Iterable[tuple[str, Any]]) -> str:
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(_told(value))}</td></tr>" for name, value in facts)
    return f"<div><table><caption>{title}</caption>{rows}</table></div>"


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
