"""What a stage is trained on: three losses, each of the samples that it concerns.

Zhang et al. 2016 (arXiv:1604.02878), section III-B: cross-entropy of negatives and positives, squared distance of the
regression of positives and parts, squared distance of landmarks. Of the cross-entropies only the hardest 70 % of a
batch count (online hard sample mining, section III-C).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from face_training.samples.records import Kind

HARDEST = 0.7


@dataclass(frozen=True)
class LossWeights:
    """How much each loss counts."""

    classification: float
    box: float
    landmark: float


PAPER_WEIGHTS = {
    "pnet": LossWeights(1, 0.5, 0.5),
    "rnet": LossWeights(1, 0.5, 0.5),
    "onet": LossWeights(1, 0.5, 1),
}
"""By stage. PNet and RNet as they are published have no landmarks, so that theirs weighs nothing there."""


@dataclass(frozen=True)
class Targets:
    """What a batch should give: kinds INT64 `[N]`, regression FP32 `[N,4]`, landmarks FP32 `[N,10]`."""

    kinds: Tensor
    regression: Tensor
    landmarks: Tensor


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
