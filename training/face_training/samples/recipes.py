"""What samples depend on, as plain values."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from face_cascade.compiled import Weights
from face_training.annotations.picture import AnnotatedPicture
from face_training.samples.making import Plan
from face_training.samples.of_picture import SampleMaker
from face_training.samples.records import record_type
from face_training.samples.settings import CROP_SIZES, SampleSettings
from face_training.samples.store import Recipe


def stage_plan(
    stage: str,
    folder: Path,
    settings: SampleSettings,
    weights: Mapping[str, Weights],
    pictures: Sequence[AnnotatedPicture],
) -> Plan:
    """Samples of a stage; weights: of the networks before it, by their names.

    Raises:
        face_cascade.errors.InvalidInput: the cascade takes no such threshold, size or factor.
    """
    settings.detection()
    index = hashlib.sha256(repr([picture.as_json() for picture in pictures]).encode())
    recipe = Recipe(
        {
            "stage": stage,
            **asdict(settings),
            "pictures": index.hexdigest(),
            "networks before it": weights_digest(weights),
        }
    )
    return Plan(folder, recipe, record_type(CROP_SIZES[stage]), partial(SampleMaker, stage, settings, weights))


def weights_digest(networks: Mapping[str, Weights]) -> str:
    """SHA-256 over names, shapes and values."""
    total = hashlib.sha256()
    for name, weights in sorted(networks.items()):
        for tensor, values in sorted(weights.items()):
            total.update(f"{name} {tensor} {values.shape}".encode() + values.tobytes())
    return total.hexdigest()
