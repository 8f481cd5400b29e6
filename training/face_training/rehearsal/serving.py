"""What came of a rehearsal: a real Triton with the trained networks, recall and precision, and a plot of the losses."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray

from face_client import FaceClient
from face_export.exporter import export_stage
from face_repository.laying_out import lay_out
from face_server import EmbeddedTriton
from face_tools.matching import match
from face_training.learning import checkpoint
from face_training.learning.trainable import stage_weights
from face_training.workplace import CHECKPOINT, STAGES, Workplace

matplotlib.use("Agg")

Boxes = NDArray[np.float64]

SAME_FACE = 0.5
"""Intersection over union from which a found box is the annotated face."""

_LOSSES = ("classification", "box", "landmark")


def make_repository(folder: Path, weights: dict[str, str]) -> None:
    """The project's model repository with these networks in it, by stage: `pretrained` or a file's path."""
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(folder)
    for stage in STAGES:
        export_stage(stage, stage_weights(stage, weights[stage]), folder)


def served_boxes(repository: Path, pictures: Sequence[Path]) -> list[Boxes]:
    """The boxes FLOAT64 [N,4] of each picture, from an embedded Triton that runs for this alone."""
    with EmbeddedTriton(repository) as triton, FaceClient(triton.grpc_url, timeout=120) as client:
        answers = client.detect_batch(pictures)
        return [np.array([face.box for face in faces], np.float64).reshape(-1, 4) for faces in answers]


@dataclass(frozen=True)
class Accuracy:
    """Counts over some pictures: annotated faces, those of them that were found, and boxes that are no face."""

    faces: int
    found: int
    false: int

    @property
    def recall(self) -> float:
        """Share of the faces that were found; NaN without any."""
        return self.found / self.faces if self.faces else float("nan")

    @property
    def precision(self) -> float:
        """Share of the boxes that are a face; NaN without any."""
        boxes = self.found + self.false
        return self.found / boxes if boxes else float("nan")


def accuracy(found: Sequence[NDArray[np.floating]], annotated: Sequence[NDArray[np.floating]]) -> Accuracy:
    """Boxes [N,4] against faces [G,4] of each picture. A face counts once; a second box of it is false."""
    faces = hits = false = 0
    for boxes, truth in zip(found, annotated, strict=True):
        matched = len(match(boxes, truth, SAME_FACE))
        faces, hits, false = faces + len(truth), hits + matched, false + len(boxes) - matched
    return Accuracy(faces, hits, false)


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
