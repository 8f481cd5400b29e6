"""A work folder: where each step of a training leaves what the next one needs, and how it is written.

WORK/pictures.jsonl, report.json       `faces train prepare`
WORK/pnet/samples/                     shards and their recipe
WORK/pnet/checkpoint.pt, log/          the run
WORK/pnet/pnet.pt, pnet.lz4            what it is for
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from face_cascade import networks
from face_repository.files import replace_atomically
from face_training.errors import WriteError

STAGES = tuple(network.name for network in networks.STAGES)
"""In the order in which they run, and are trained."""

SAMPLES = "samples"
LOG = "log"
CHECKPOINT = "checkpoint.pt"
RECIPE = "recipe.json"
"""Beside samples: what they depend on."""


def stages_before(stage: str) -> tuple[str, ...]:
    """The stages whose candidates this one is trained on."""
    return STAGES[: STAGES.index(stage)]


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


def is_of_run(path: Path) -> bool:
    """Whether a file or folder lies where a run has been, which leaves its samples or its checkpoint and log there."""
    folder = path.parent
    return (folder / SAMPLES / RECIPE).is_file() or ((folder / CHECKPOINT).is_file() and (folder / LOG).is_dir())


def clear_run(folder: Path) -> None:
    """Removes samples, log and checkpoint of a run, and nothing else that may lie in its folder."""
    for name in (SAMPLES, LOG):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def write_file(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """A file that is there whole or not at all: see `replace_atomically`.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    try:
        replace_atomically(path, write)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Text as UTF-8, likewise."""
    write_file(path, lambda file: file.write(text.encode()))
