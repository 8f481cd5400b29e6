"""PNet, RNet or ONet on its samples: the task for the engine, which samples make a batch, and the losses.

As Zhang et al. 2016 (arXiv:1604.02878) have it, section III: cross-entropy of negatives and positives, of which only
the hardest 70 % of a batch count (online hard sample mining), squared distance of the regression of positives and
parts, squared distance of landmarks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from face_cascade.networks import ONET, PNET, RNET
from face_training.errors import SamplesError
from face_training.learning.trainable import Trainable
from face_training.samples.records import Kind, Records
from face_training.samples.store import Shards
from face_training.settings import TrainingSettings

Rows = NDArray[np.intp]

HARDEST = 0.7
"""The share of a batch's cross-entropies that counts."""

SHARES = {Kind.NEGATIVE: 3, Kind.POSITIVE: 1, Kind.PART: 1, Kind.LANDMARK: 2}
"""Negatives, positives, parts and landmarks as 3:1:1:2 (Zhang et al. 2016, section III-B)."""

HELD_OUT = 20
"""One picture of so many is kept from training, for validation: the last of each such row of the index."""

_VALIDATION_BATCH = 1024


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts."""

    classification: float
    box: float
    landmark: float


PAPER_WEIGHTS = {
    PNET.name: LossWeights(1, 0.5, 0.5),
    RNET.name: LossWeights(1, 0.5, 0.5),
    ONET.name: LossWeights(1, 0.5, 1),
}
"""By stage. PNet and RNet as they are published have no landmarks, so that theirs weighs nothing there."""


@dataclass(frozen=True)
class Targets:
    """What a batch should give: kinds INT64 `[N]`, regression FP32 `[N,4]`, landmarks FP32 `[N,10]`."""

    kinds: Tensor
    regression: Tensor
    landmarks: Tensor


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


def batches(rows: Mapping[Kind, Rows], batch_size: int, count: int, seed: int, epoch: int) -> Iterator[Rows]:
    """`count` batches of row numbers. A kind without rows leaves its share to the others.

    Each kind goes through all its rows in a new order before one comes again; epochs are independent of each other, so
    that a run can go on at any of them.
    """
    kinds = [kind for kind in SHARES if len(rows.get(kind, ()))]
    sizes = _whole_shares(np.array([SHARES[kind] for kind in kinds]), batch_size)
    orders = [
        _endless(rows[kind], size * count, np.random.default_rng([seed, epoch, int(kind)]))
        for kind, size in zip(kinds, sizes, strict=True)
    ]
    for n in range(count):
        parts = [order[n * size : (n + 1) * size] for order, size in zip(orders, sizes, strict=True)]
        yield np.concatenate(parts)


def _whole_shares(weights: NDArray[np.integer], total: int) -> list[int]:
    """Whole numbers near to these shares of `total`, which they sum up to."""
    bounds = np.rint(np.cumsum(weights) / weights.sum() * total).astype(int)
    shares: list[int] = np.diff(bounds, prepend=0).tolist()
    return shares


def _endless(rows: Rows, count: int, random: np.random.Generator) -> Rows:
    """`count` rows: permutations of all of them, one after the other."""
    rounds = -(-count // len(rows))
    return np.concatenate([random.permutation(rows) for _ in range(rounds)] or [rows[:0]])[:count]


def hard_cross_entropy(scores: Tensor, kinds: Tensor) -> Tensor:
    """The mean over the hardest 70 % of negatives and positives, at least one; 0 where there is neither."""
    classified = (kinds == Kind.NEGATIVE) | (kinds == Kind.POSITIVE)
    each = cross_entropy(scores[classified].float(), (kinds[classified] == Kind.POSITIVE).long(), reduction="none")
    if not len(each):
        return scores.sum() * 0
    return each.topk(max(1, int(HARDEST * len(each)))).values.mean()


def squared_distance(found: Tensor, wanted: Tensor, mask: Tensor) -> Tensor:
    """The mean over the masked rows of the squared Euclidean distance; 0 where there are none."""
    if not mask.any():
        return found.sum() * 0
    return (found[mask].float() - wanted[mask]).square().sum(dim=1).mean()


def stage_losses(scores: Tensor, regression: Tensor, landmarks: Tensor | None, targets: Targets) -> dict[str, Tensor]:
    """The losses by name, not yet weighted; `landmark` only for a network that has them."""
    kinds = targets.kinds
    faced = (kinds == Kind.POSITIVE) | (kinds == Kind.PART)
    losses = {
        "classification": hard_cross_entropy(scores, kinds),
        "box": squared_distance(regression, targets.regression, faced),
    }
    if landmarks is not None:
        losses["landmark"] = squared_distance(landmarks, targets.landmarks, kinds == Kind.LANDMARK)
    return losses


def weighted(losses: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """Their sum, each times its weight."""
    return torch.stack([losses[name] * getattr(weights, name) for name in losses]).sum()
