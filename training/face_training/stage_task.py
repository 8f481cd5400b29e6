"""PNet, RNet or ONet on its samples, as a task for the engine."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from face_training.errors import SamplesError
from face_training.losses import PAPER_WEIGHTS, Targets, stage_losses, weighted
from face_training.networks import Trainable
from face_training.samples.records import Kind, Records
from face_training.samples.store import Shards
from face_training.sampling import Rows, batches
from face_training.settings import TrainingSettings

HELD_OUT = 20
"""One picture of so many is kept from training, for validation: the last of each such row of the index."""

_VALIDATION_BATCH = 1024


class StageTask:
    """Trains on the samples of nineteen pictures of twenty, validates on the rest.

    Raises:
        SamplesError: there are no positives or no negatives to learn from.
    """

    def __init__(
        self, stage: str, trainable: Trainable, store: Shards, settings: TrainingSettings, device: torch.device
    ) -> None:
        self.network, self.module = trainable.network, trainable
        self._store, self._settings, self._device = store, settings, device
        self._weights = PAPER_WEIGHTS[stage]
        held_out = store.column("picture") % HELD_OUT == HELD_OUT - 1
        self._rows = _rows_by_kind(store, ~held_out)
        self._validation = np.flatnonzero(held_out)
        for kind in (Kind.POSITIVE, Kind.NEGATIVE):
            if not len(self._rows[kind]):
                raise SamplesError(
                    f"there is no {kind.name.lower()} sample for {stage}: add pictures, or lower a threshold"
                )
        available = sum(len(rows) for rows in self._rows.values())
        self.batches_per_epoch = settings.batches or max(1, available // settings.batch_size)

    def batches(self, epoch: int) -> Iterator[Records]:
        """Records of each batch of the epoch."""
        s = self._settings
        for rows in batches(self._rows, s.batch_size, self.batches_per_epoch, s.seed, epoch):
            yield self._store.take(rows)

    def losses(self, batch: Records) -> dict[str, Tensor]:
        """Classification, box and, for ONet, landmark."""
        scores, regression, landmarks = self.module(self._pixels(batch))
        return stage_losses(scores, regression, landmarks, self._targets(batch))

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """The paper's weights."""
        return weighted(losses, self._weights)

    def validate(self) -> dict[str, float]:
        """Share of negatives and of positives that are told right, and mean absolute errors in shares of the box."""
        if not len(self._validation):
            return {}
        parts = []
        for start in range(0, len(self._validation), _VALIDATION_BATCH):
            batch = self._store.take(self._validation[start : start + _VALIDATION_BATCH])
            scores, regression, landmarks = self.module(self._pixels(batch))
            parts.append(_answers(scores, regression, landmarks, self._targets(batch)))
        return _means(parts)

    def _pixels(self, batch: Records) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(batch["pixels"])).to(self._device)
        return pixels.permute(0, 3, 1, 2).to(torch.float32)

    def _targets(self, batch: Records) -> Targets:
        return Targets(
            torch.from_numpy(batch["kind"].astype(np.int64)).to(self._device),
            torch.from_numpy(np.ascontiguousarray(batch["regression"])).to(self._device),
            torch.from_numpy(np.ascontiguousarray(batch["landmarks"])).to(self._device),
        )


def _rows_by_kind(store: Shards, mask: np.ndarray) -> dict[Kind, Rows]:
    kinds = store.column("kind")
    return {kind: np.flatnonzero((kinds == kind) & mask) for kind in Kind}


def _answers(scores: Tensor, regression: Tensor, landmarks: Tensor | None, targets: Targets) -> dict[str, Tensor]:
    """What each sample of a batch adds to each mean."""
    face = scores[:, 1] > scores[:, 0]
    kinds = targets.kinds
    faced = (kinds == Kind.POSITIVE) | (kinds == Kind.PART)
    answers = {
        "negatives_right": (~face[kinds == Kind.NEGATIVE]).float(),
        "positives_right": face[kinds == Kind.POSITIVE].float(),
        "box_error": (regression - targets.regression)[faced].abs().mean(dim=1),
    }
    if landmarks is not None:
        answers["landmark_error"] = (landmarks - targets.landmarks)[kinds == Kind.LANDMARK].abs().mean(dim=1)
    return answers


def _means(parts: list[dict[str, Tensor]]) -> dict[str, float]:
    joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: float(values.mean()) for name, values in joined.items() if len(values)}
