"""The losses beside their formulas, one sample at a time."""

import math

import numpy as np
import pytest
import torch

from face_training.learning.stage_task import (
    PAPER_WEIGHTS,
    Targets,
    hard_cross_entropy,
    squared_distance,
    stage_losses,
    weighted,
)
from face_training.samples.records import Kind


def random_batch(seed, count=23):
    random = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, 4, (count,), generator=random)
    answers = [torch.randn(count, width, generator=random) for width in (2, 4, 10)]
    targets = Targets(kinds, *(torch.randn(count, width, generator=random) for width in (4, 10)))
    return answers, targets


def pairs(found, wanted):
    return zip(found.tolist(), wanted.tolist(), strict=True)


def slow_losses(scores, regression, landmarks, targets):
    entropies, boxes, points = [], [], []
    for i, kind in enumerate(targets.kinds.tolist()):
        if kind in (Kind.NEGATIVE, Kind.POSITIVE):
            no_face, face = map(math.exp, scores[i].tolist())
            share = (face if kind == Kind.POSITIVE else no_face) / (face + no_face)
            entropies.append(-math.log(share))
        if kind in (Kind.POSITIVE, Kind.PART):
            boxes.append(sum((a - b) ** 2 for a, b in pairs(regression[i], targets.regression[i])))
        if kind == Kind.LANDMARK:
            points.append(sum((a - b) ** 2 for a, b in pairs(landmarks[i], targets.landmarks[i])))
    hardest = sorted(entropies, reverse=True)[: max(1, int(0.7 * len(entropies)))]
    return [np.mean(values) for values in (hardest, boxes, points)]


@pytest.mark.parametrize("seed", range(10))
def test_losses_are_the_slow_ones(seed):
    answers, targets = random_batch(seed)
    found = stage_losses(*answers, targets)
    assert list(found) == ["classification", "box", "landmark"]
    np.testing.assert_allclose([float(v) for v in found.values()], slow_losses(*answers, targets), rtol=1e-5)


def test_only_the_hardest_seven_of_ten_count():
    right, wrong = [9.0, -9.0], [-9.0, 9.0]
    scores = torch.tensor([wrong, right, right, right, right, right, right, right, right, right], requires_grad=True)
    loss = hard_cross_entropy(scores, torch.zeros(10, dtype=torch.long))
    assert loss.item() == pytest.approx(18 / 7, rel=1e-4)
    loss.backward()
    assert int((scores.grad.abs().sum(dim=1) > 0).sum()) == 7


@pytest.mark.parametrize("kind", list(Kind))
def test_each_kind_moves_only_what_it_concerns(kind):
    """scores, regression and landmarks of a batch of one kind; a loss without samples is 0, and no NaN."""
    concerned = {Kind.NEGATIVE: [1, 0, 0], Kind.POSITIVE: [1, 1, 0], Kind.PART: [0, 1, 0], Kind.LANDMARK: [0, 0, 1]}
    answers, targets = random_batch(0)
    for answer in answers:
        answer.requires_grad_()
    only = Targets(torch.full_like(targets.kinds, kind), targets.regression, targets.landmarks)
    weighted(stage_losses(*answers, only), PAPER_WEIGHTS["onet"]).backward()
    assert [int(answer.grad.abs().sum() > 0) for answer in answers] == concerned[kind]
    assert all(answer.grad.isfinite().all() for answer in answers)


def test_the_papers_weights():
    losses = {"classification": torch.tensor(1.0), "box": torch.tensor(10.0), "landmark": torch.tensor(100.0)}
    assert float(weighted(losses, PAPER_WEIGHTS["onet"])) == 106
    assert float(weighted(losses, PAPER_WEIGHTS["rnet"])) == 56
    del losses["landmark"]
    assert float(weighted(losses, PAPER_WEIGHTS["pnet"])) == 6


def test_distances_of_nothing_are_zero():
    found = torch.randn(3, 4)
    assert float(squared_distance(found, found + 1, torch.zeros(3, dtype=torch.bool))) == 0
