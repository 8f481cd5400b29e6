"""When requests of an open loop are due."""

import itertools
import statistics
from random import Random

import pytest

from face_load.schedule import CONSTANT, KINDS, POISSON, arrivals


def first(count, rate, kind, seed=1):
    return list(itertools.islice(arrivals(rate, kind, Random(seed)), count))


def gaps(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.5, 7, 300])
def test_as_many_come_as_the_rate_says(kind, rate):
    times = first(20_000, rate, kind)
    assert times[0] >= 0
    assert times == sorted(times)
    assert len(times) / times[-1] == pytest.approx(rate, rel=0.03)


def test_gaps_of_a_poisson_stream_spread_as_much_as_they_last():
    spread = gaps(first(20_000, 5, POISSON))
    assert statistics.stdev(spread) == pytest.approx(statistics.mean(spread), rel=0.03)


def test_constant_gaps_are_equal_and_streams_do_not_march_in_step():
    assert gaps(first(50, 4, CONSTANT)) == pytest.approx([0.25] * 49)
    starts = {first(1, 4, CONSTANT, seed)[0] for seed in range(20)}
    assert len(starts) == 20
    assert all(0 <= start < 0.25 for start in starts)


def test_the_same_seed_gives_the_same_times():
    assert first(10, 3, POISSON, seed=8) == first(10, 3, POISSON, seed=8)
    assert first(10, 3, POISSON, seed=8) != first(10, 3, POISSON, seed=9)


def test_there_is_no_stream_without_a_rate_or_of_an_unknown_kind():
    for rate in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="must be over 0"):
            first(1, rate, POISSON)
    with pytest.raises(ValueError, match="must be one of poisson, constant"):
        first(1, 1, "bursts")
