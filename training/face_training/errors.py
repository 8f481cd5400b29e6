"""What training can fail with.

    TrainingError
    ├── AnnotationError     a set of pictures is not where or what it should be
    ├── UnreadablePicture   a picture that gives no samples: its pixels cannot be read, or it has changed
    ├── SamplesError        samples that do not belong to this run, or none of a kind that training needs
    ├── CheckpointError     a checkpoint that cannot be read, or is of another run
    ├── NonFiniteLoss       the loss became infinite or no number; says which part of it
    └── WriteError          a file of the work folder cannot be written

Each message is one sentence for the person at the command line, without a traceback.
"""

from pathlib import Path


class TrainingError(Exception):
    """Base of everything that `face_training` raises on purpose."""


class AnnotationError(TrainingError):
    """A list of faces is missing, or is not in the format that its name says."""


class UnreadablePicture(TrainingError):
    """A picture whose header was fine and that cannot be read after all; samples are made without it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class SamplesError(TrainingError):
    """Samples were made with other settings, or there are none to train on."""


class CheckpointError(TrainingError):
    """A checkpoint cannot be read, or belongs to another run."""


class NonFiniteLoss(TrainingError):
    """Going on would only spread NaN through the weights."""


class WriteError(TrainingError):
    """The disk is full, or a folder may not be written to; what the file held before is still there."""
