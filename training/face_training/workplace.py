"""A work folder: where each step of a training leaves what the next one needs.

WORK/pictures.jsonl, report.json       `faces train prepare`
WORK/pnet/samples/                     shards and their recipe
WORK/pnet/checkpoint.pt, log/          the run
WORK/pnet/pnet.pt, pnet.lz4            what it is for
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

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
