"""Batches: fixed shares of each kind, everything seen before anything comes again."""

import numpy as np
import pytest

from face_training.learning.stage_task import batches
from face_training.samples.records import Kind


def rows(**counts):
    """Row numbers of each kind, apart from each other."""
    return {kind: 1000 * kind + np.arange(counts.get(kind.name.lower(), 0)) for kind in Kind}


def kinds_in(batch):
    return [int((batch // 1000 == kind).sum()) for kind in (Kind.NEGATIVE, Kind.POSITIVE, Kind.PART, Kind.LANDMARK)]


def test_the_shares_are_the_papers():
    everything = rows(negative=50, positive=20, part=20, landmark=30)
    for batch in batches(everything, 70, 5, seed=0, epoch=0):
        assert kinds_in(batch) == [30, 10, 10, 20]


def test_a_missing_kind_leaves_its_share_to_the_others():
    for batch in batches(rows(negative=50, positive=20, part=20), 50, 3, seed=0, epoch=0):
        assert kinds_in(batch) == [30, 10, 10, 0]


@pytest.mark.parametrize("size", [1, 2, 7, 13, 100])
def test_batches_are_as_large_as_asked_for(size):
    found = list(batches(rows(negative=5, positive=3, part=2, landmark=1), size, 4, seed=1, epoch=0))
    assert [len(batch) for batch in found] == [size] * 4


def test_every_row_comes_before_one_comes_again():
    everything = rows(negative=12, positive=4, part=4, landmark=8)
    found = np.concatenate(list(batches(everything, 7, 8, seed=0, epoch=0)))
    for kind, times in ((Kind.NEGATIVE, 2), (Kind.POSITIVE, 2), (Kind.PART, 2), (Kind.LANDMARK, 2)):
        mine = found[found // 1000 == kind]
        half = len(mine) // times
        for part in (mine[:half], mine[half:]):
            assert sorted(part) == sorted(everything[kind])


def test_epochs_and_seeds_have_their_own_order():
    everything = rows(negative=50, positive=20, part=20)
    first = np.concatenate(list(batches(everything, 20, 3, seed=0, epoch=0)))
    assert (first == np.concatenate(list(batches(everything, 20, 3, seed=0, epoch=0)))).all()
    assert (first != np.concatenate(list(batches(everything, 20, 3, seed=0, epoch=1)))).any()
    assert (first != np.concatenate(list(batches(everything, 20, 3, seed=1, epoch=0)))).any()
