"""The losses of a training as a picture."""

from pathlib import Path

import matplotlib

from face_training import checkpoint
from face_training.workplace import CHECKPOINT, STAGES, Workplace

matplotlib.use("Agg")

from matplotlib import pyplot

_LOSSES = ("classification", "box", "landmark")


def draw_curves(work: Workplace, path: Path) -> None:
    """Each stage's losses by epoch."""
    figure, axes = pyplot.subplots(1, len(STAGES), figsize=(9, 2.8), layout="constrained")
    for stage, axis in zip(STAGES, axes, strict=True):
        history = checkpoint.read(work.stage(stage) / CHECKPOINT)["history"]
        epochs = [measured["epoch"] for measured in history]
        for name in _LOSSES:
            if name in history[0]:
                axis.plot(epochs, [measured[name] for measured in history], label=name)
        axis.set_title(stage)
        axis.set_xlabel("epoch")
        axis.set_yscale("log")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    axes[-1].legend(fontsize=8)
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
