"""Curves as PNG files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from face_command.outputs import write_whole
from face_tools.evaluation.average_precision import PrecisionRecall
from face_tools.evaluation.verification import Roc

_COLOURS = ("#1b7f79", "#e8b04a", "#e07a3f", "#8d6a9f")
_INCHES = (6.4, 4.8)
_DPI = 130


def plot_precision_recall(curves: Mapping[str, PrecisionRecall], path: Path) -> None:
    """Precision over recall, a line a subset. Raises OutputError where the file cannot be written."""
    figure, axes = _figure("Precision and recall")
    for colour, (name, curve) in zip(_COLOURS, curves.items()):
        if not curve.faces:
            continue
        reached = curve.recall > 0
        label = f"{name}: {curve.average_precision:.3f}, {curve.faces:,} faces"
        axes.plot(curve.recall[reached], curve.precision[reached], color=colour, linewidth=2, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    if axes.lines:
        axes.legend(title="average precision", frameon=False, loc="lower left")
    write_whole(path, partial(figure.savefig, format="png"))


def plot_roc(roc: Roc, path: Path) -> None:
    """TAR over FAR, with a logarithmic FAR from one pair of two people upwards. Raises OutputError."""
    figure, axes = _figure("Verification")
    # The smallest rate above 0 that these pairs can show; lower ones have no place on the axis.
    smallest = 1 / roc.negatives
    shown = roc.far >= smallest
    axes.plot(roc.far[shown], roc.tar[shown], color=_COLOURS[0], linewidth=2, label=f"area {roc.area:.4f}")
    error = roc.equal_error_rate
    if error >= smallest:
        axes.plot(error, 1 - error, "o", color=_COLOURS[2], label=f"equal error rate {error:.4f}")
    axes.set(xlabel="false accept rate", ylabel="true accept rate", xscale="log", xlim=(smallest, 1))
    axes.legend(frameon=False, loc="lower right")
    write_whole(path, partial(figure.savefig, format="png"))


def _figure(title: str) -> tuple[Figure, Axes]:
    # Without pyplot: no window system is touched, and nobody's settings.
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
    return figure, axes
