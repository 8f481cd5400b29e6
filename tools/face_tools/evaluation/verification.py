"""How well distances tell pairs of one person from pairs of two: accuracy over folds, and the ROC curve.

A pair is taken for the same person where its distance is below a threshold. FAR, the false accept rate, is
the share of the pairs of two people that is accepted; TAR the share of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import auc, roc_curve

from face_client.errors import InvalidInput

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class FoldAccuracy:
    """Of each fold: float64 [F], with the threshold that is best on all other folds.

    G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller, "Labeled Faces in the Wild", 2007, section 3: mean,
    and standard error of the mean, the standard deviation (of F − 1 degrees of freedom) divided by √F.
    """

    accuracies: Floats
    thresholds: Floats

    @property
    def mean(self) -> float:
        """The accuracy of the set."""
        return float(self.accuracies.mean())

    @property
    def standard_deviation(self) -> float:
        """Between folds."""
        return float(self.accuracies.std(ddof=1))

    @property
    def standard_error(self) -> float:
        """Of the mean."""
        return self.standard_deviation / len(self.accuracies) ** 0.5


@dataclass(frozen=True)
class Roc:
    """far, tar: float64, ascending. negatives: pairs of two people."""

    far: Floats
    tar: Floats
    negatives: int

    @property
    def area(self) -> float:
        """Under the curve."""
        return float(auc(self.far, self.tar))

    @property
    def equal_error_rate(self) -> float:
        """Where FAR equals 1 − TAR, on the straight line between the two nearest points."""
        return float(np.interp(0.0, self.far + self.tar - 1, self.far))

    def tar_at(self, far: float) -> float | None:
        """The largest TAR at a FAR, on the line between points; None for a FAR below one pair of `negatives`."""
        if far * self.negatives < 1:
            return None
        # Several thresholds have the same FAR: the last has the largest TAR.
        last = np.append(np.diff(self.far) > 0, True)
        return float(np.interp(far, self.far[last], self.tar[last]))


def best_threshold(distances: Floats, same: Bools) -> float:
    """The threshold that tells most pairs right: half way between two distances, the lowest of several."""
    order = np.argsort(distances, kind="stable")
    ascending, is_same = distances[order], same[order]
    # Right with the first i pairs accepted, i from 0 to all.
    right = np.concatenate(([0], np.cumsum(is_same))) + np.concatenate((np.cumsum(~is_same[::-1])[::-1], [0]))
    middles = np.concatenate(([0.0], (ascending[:-1] + ascending[1:]) / 2, [np.inf]))
    # Pairs at one distance cannot be divided.
    possible = np.concatenate(([True], ascending[:-1] < ascending[1:], [True]))
    return float(middles[possible][right[possible].argmax()])


def fold_accuracy(distances: Floats, same: Bools, folds: NDArray[np.int64]) -> FoldAccuracy:
    """Arrays [N]: of each pair its distance, whether it is one person, and its fold.

    Raises InvalidInput where the pairs are of fewer than two folds.
    """
    names = np.unique(folds)
    if len(names) < 2:
        raise InvalidInput("accuracy needs two folds or more: the threshold for one comes from the others")
    thresholds = np.array([best_threshold(distances[folds != fold], same[folds != fold]) for fold in names])
    accuracies = [
        np.mean((distances[folds == fold] < threshold) == same[folds == fold])
        for fold, threshold in zip(names, thresholds)
    ]
    return FoldAccuracy(np.array(accuracies), thresholds)


def roc(distances: Floats, same: Bools) -> Roc:
    """The curve over all pairs [N]. Raises InvalidInput unless there are pairs of both kinds."""
    if same.all() or not same.any():
        raise InvalidInput("a ROC curve needs pairs of one person and pairs of two")
    far, tar, _ = roc_curve(same, -distances, drop_intermediate=False)
    return Roc(far, tar, int((~same).sum()))
