"""A calibration as a picture. Needs matplotlib, the extra `calibrate`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from face_gallery.calibration import Calibration, Measured

_OTHERS, _OWN, _LINE = "#e07a3f", "#1b7f79", "#333333"


def draw(measured: Measured, calibration: Calibration) -> Figure:
    """How near strangers and people's own faces come, with the threshold between them; and what other thresholds would
    mean. Save it with `savefig`."""
    # Without pyplot: no window system is touched, and nobody's settings.
    figure = Figure(figsize=(6.4, 7.2), dpi=130, layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    _draw_distances(upper, measured)
    _draw_rates(lower, measured)
    for axes in (upper, lower):
        axes.axvline(calibration.distance, color=_LINE, linewidth=1.5, label=f"threshold {calibration.distance:.3f}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    upper.set_title(f"{measured.people:,} people", loc="left", weight="bold")
    lower.set_xlabel("Euclidean distance")
    return figure


def _draw_distances(axes: Axes, measured: Measured) -> None:
    edges = np.linspace(0, max([1.5, *measured.others[-1:], *measured.own[-1:]]), 61)
    for distances, colour, label in (
        (measured.own, _OWN, "to the nearest face of the same person"),
        (measured.others, _OTHERS, "to the nearest other person"),
    ):
        if len(distances):
            weights = np.full(len(distances), 100 / len(distances))
            axes.hist(distances, edges, weights=weights, color=colour, alpha=0.6, label=f"{label} ({len(distances):,})")
    axes.set_ylabel("% of faces looked up")


def _draw_rates(axes: Axes, measured: Measured) -> None:
    count = len(measured.others)
    axes.step(
        measured.others, np.arange(1, count + 1) / count, color=_OTHERS, label="strangers who are taken for somebody"
    )
    if len(measured.own):
        missed = 1 - np.arange(len(measured.own)) / len(measured.own)
        axes.step(measured.own, missed, color=_OWN, label="own faces that are missed")
    axes.set_yscale("log")
    axes.set_ylabel("rate")
