"""A model repository with networks of one's own, and what a real Triton finds with it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from face_client import FaceClient
from face_export.exporter import export_stage
from face_server import EmbeddedTriton
from face_server.repository import default_repository
from face_training.networks import stage_weights
from face_training.workplace import STAGES

Boxes = NDArray[np.float64]

_BUILT = shutil.ignore_patterns("model.pt", "export.json", "__pycache__")


def make_repository(folder: Path, weights: dict[str, str]) -> None:
    """The project's model repository with these networks in it, by stage: `pretrained` or a file's path."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(default_repository(), folder, ignore=_BUILT)
    for stage in STAGES:
        export_stage(stage, stage_weights(stage, weights[stage]), folder)


def served_boxes(repository: Path, pictures: Sequence[Path]) -> list[Boxes]:
    """The boxes FLOAT64 [N,4] of each picture, from an embedded Triton that runs for this alone."""
    with EmbeddedTriton(repository) as triton, FaceClient(triton.grpc_url, timeout=120) as client:
        answers = client.detect_batch(pictures)
        return [np.array([face.box for face in faces], np.float64).reshape(-1, 4) for faces in answers]
