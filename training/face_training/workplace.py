"""A work folder: settings, and where each step of a training leaves what the next one needs."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from face_repository.files import replace_atomically
from face_training.errors import WriteError

# Files that are written whole or not at all.


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """`write` fills a temporary file, which then takes the place of `path`. Makes the folder.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    try:
        replace_atomically(path, write)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8."""
    write_atomically(path, lambda file: file.write(text.encode()))


# How a network is trained. All of it stands in the checkpoint.


@dataclass(frozen=True)
class TrainingSettings:
    """Adam with weight decay; the learning rate is divided by ten at `steps`, fractions of all epochs.

    batches: in an epoch; 0 for as many as the samples fill. seed: of the first weights, the order of the samples and
    what dropout drops.
    """

    epochs: int = 20
    batch_size: int = 512
    batches: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    steps: tuple[float, ...] = (0.5, 0.75, 0.9)
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values only: a checkpoint is read without running any code."""
        return {**asdict(self), "steps": list(self.steps)}

    def milestones(self) -> list[int]:
        """Epochs after which the rate falls."""
        return [max(1, round(step * self.epochs)) for step in self.steps]


# A work folder: where each step of a training leaves what the next one needs.
#
# WORK/pictures.jsonl, report.json       `faces train prepare`
# WORK/pnet/samples/                     shards and their recipe
# WORK/pnet/checkpoint.pt, log/          the run
# WORK/pnet/pnet.pt, pnet.lz4            what it is for


SAMPLES = "samples"
LOG = "log"
CHECKPOINT = "checkpoint.pt"

STAGES = ("pnet", "rnet", "onet")
"""In the order in which they run, and are trained. Needs no torch, as `--help` must not."""


@dataclass(frozen=True)
class Workplace:
    """Paths below one work folder."""

    root: Path

    def stage(self, stage: str) -> Path:
        """The folder of a stage."""
        return self.root / stage

    def samples(self, stage: str) -> Path:
        """The folder of its samples."""
        return self.stage(stage) / SAMPLES

    def weights(self, stage: str) -> Path:
        """Its trained weights as a state dict."""
        return self.stage(stage) / f"{stage}.pt"

    def keras_weights(self, stage: str) -> Path:
        """Its trained weights as ipazc's package reads them."""
        return self.stage(stage) / f"{stage}.lz4"


def stages_before(stage: str) -> tuple[str, ...]:
    """The stages whose candidates this one is trained on."""
    return STAGES[: STAGES.index(stage)]


def clear_run(folder: Path) -> None:
    """Removes samples, log and checkpoint of a run, and nothing else that may lie in its folder."""
    for name in (SAMPLES, LOG):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / CHECKPOINT).unlink(missing_ok=True)
