"""Which samples make a batch: the kinds in fixed shares, in an order that a seed and the epoch decide."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from face_training.samples.records import Kind

SHARES = {Kind.NEGATIVE: 3, Kind.POSITIVE: 1, Kind.PART: 1, Kind.LANDMARK: 2}
"""Negatives, positives, parts and landmarks as 3:1:1:2 (Zhang et al. 2016, section III-B)."""

Rows = NDArray[np.intp]


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
