"""Accuracy over folds and the ROC curve: by hand, and beside a threshold at a time."""

import itertools

import numpy as np
import pytest

from face_client import InvalidInput
from face_tools.evaluation.verification import best_threshold, fold_accuracy, roc


def right(distances, same, threshold):
    return sum((d < threshold) == s for d, s in zip(distances, same, strict=True))


def slow_best(distances, same):
    """How many are right at the best of all thresholds that make a difference, and the lowest such gap."""
    places = sorted(set(distances))
    gaps = [(0.0, 0.0), *itertools.pairwise(places), (np.inf, np.inf)]
    counts = [right(distances, same, (low + high) / 2) for low, high in gaps]
    return max(counts), gaps[counts.index(max(counts))]


def slow_rates(distances, same, threshold):
    accepted = [d <= threshold for d in distances]
    negatives, positives = sum(not s for s in same), sum(same)
    far = sum(a and not s for a, s in zip(accepted, same, strict=True)) / negatives
    return far, sum(a and s for a, s in zip(accepted, same, strict=True)) / positives


def test_the_threshold_lies_half_way_between():
    assert best_threshold(np.array([0.2, 0.4, 1.0, 1.2]), np.array([True, True, False, False])) == 0.7


def test_all_of_one_kind():
    distances = np.array([0.5, 0.7])
    assert best_threshold(distances, np.array([False, False])) == 0.0
    assert best_threshold(distances, np.array([True, True])) == np.inf


@pytest.mark.parametrize("seed", range(30))
def test_the_best_threshold_beside_every_threshold(seed):
    random = np.random.RandomState(seed)
    count = random.randint(1, 30)
    # Few distances, so that many are equal.
    distances = random.randint(1, 9, count) / 5
    same = random.uniform(size=count) < random.uniform()
    threshold = best_threshold(distances, same)
    best, (low, high) = slow_best(distances.tolist(), same.tolist())
    assert right(distances, same, threshold) == best
    assert low <= threshold <= high


def test_folds_by_hand():
    """The threshold of each fold comes from the other: 0.5 for the first, 1.5 for the second."""
    distances = np.array([0.9, 1.0, 2.0, 2.1, 0.2, 0.3, 0.7, 1.6])
    same = np.array([True, True, False, False] * 2)
    result = fold_accuracy(distances, same, np.repeat([0, 1], 4))
    np.testing.assert_allclose(result.thresholds, [0.5, 1.5])
    assert result.accuracies.tolist() == [0.5, 0.75]
    assert result.mean == 0.625
    assert result.standard_deviation == pytest.approx(0.125 * 2**0.5)
    assert result.standard_error == pytest.approx(0.125)


def test_one_fold_is_refused():
    with pytest.raises(InvalidInput, match="two folds or more"):
        fold_accuracy(np.array([0.1, 0.9]), np.array([True, False]), np.array([0, 0]))


def test_roc_of_a_perfect_and_of_a_useless_measure():
    same = np.array([True, True, False, False])
    perfect = roc(np.array([0.1, 0.2, 0.8, 0.9]), same)
    assert (perfect.area, perfect.equal_error_rate) == (1.0, 0.0)
    useless = roc(np.array([0.5, 0.5, 0.5, 0.5]), same)
    assert (useless.area, useless.equal_error_rate) == (0.5, 0.5)


def test_roc_by_hand():
    """In order: same, two, same, same, two, two: TAR 1/3 before the first false one, 1 after it."""
    result = roc(np.array([1, 2, 3, 4, 5, 6.0]), np.array([True, False, True, True, False, False]))
    assert result.area == pytest.approx((1 / 3 + 1 + 1) / 3)
    assert result.equal_error_rate == pytest.approx(1 / 3)
    # At a FAR that several thresholds have, the largest TAR; between two, on the line.
    assert result.tar_at(1 / 3) == pytest.approx(1.0)
    assert result.tar_at(2 / 3) == pytest.approx(1.0)
    assert result.tar_at(0.1) is None, "fewer than one of three pairs"


def test_tar_between_two_rates_lies_on_the_line():
    result = roc(np.array([1, 2, 3, 4, 5.0]), np.array([False, True, True, False, True]))
    assert result.tar_at(0.5) == pytest.approx(2 / 3)
    assert result.tar_at(0.75) == pytest.approx(2 / 3 + (1 / 3) / 2)


def test_roc_needs_both_kinds():
    with pytest.raises(InvalidInput, match="one person"):
        roc(np.array([0.1]), np.array([True]))


@pytest.mark.parametrize("seed", range(10))
def test_roc_beside_every_threshold(seed):
    random = np.random.RandomState(seed)
    distances = random.randint(0, 12, 40) / 6
    same = np.arange(40) % 2 == 0
    result = roc(distances, same)
    slow = [(0.0, 0.0), *(slow_rates(distances, same, t) for t in sorted(set(distances.tolist())))]
    np.testing.assert_allclose(np.stack([result.far, result.tar], axis=1), slow)
    # The area counts the ordered pairs, equals half.
    better = sum((d1 < d2) + 0.5 * (d1 == d2) for d1 in distances[same] for d2 in distances[~same])
    assert result.area == pytest.approx(better / 400)
    error = result.equal_error_rate
    assert np.interp(error, result.far, result.tar) == pytest.approx(1 - error) or error in result.far
