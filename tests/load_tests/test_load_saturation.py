"""The search for the highest rate, and the verdict on overload."""

import random

import pytest

from face_bench import BenchError
from face_load.samples import Sample, summarise
from face_load.saturation import PRECISION, highest
from face_load.saturation_report import Overload, peak


def search(limit, start):
    """What was found, and all rates that were tried."""
    tried = []

    def passes(rate):
        tried.append(rate)
        return rate <= limit

    return highest(passes, start), tried


def test_what_is_found_passes_and_a_little_more_would_not():
    numbers = random.Random(1)
    for _ in range(200):
        limit, start = numbers.uniform(0.2, 500), numbers.uniform(0.5, 50)
        found, tried = search(limit, start)
        assert found <= limit < found * PRECISION * (1 + 1e-9)
        assert found in tried
        assert any(limit < rate <= found * PRECISION * (1 + 1e-9) for rate in tried)
        assert len(tried) == len(set(tried))
        # Eight steps up or down to a factor of 25, then halving.
        assert len(tried) < 30


def test_it_is_raised_step_by_step_from_the_start():
    _, tried = search(limit=10, start=4)
    assert tried[:4] == pytest.approx([4, 6, 9, 13.5])
    assert all(9 < rate < 13.5 for rate in tried[4:])


def test_where_the_start_fails_lower_rates_are_tried():
    found, tried = search(limit=1, start=4)
    assert tried[:2] == pytest.approx([4, 4 / 1.5])
    assert 1 / PRECISION < found <= 1


def test_a_search_without_an_end_has_one():
    with pytest.raises(BenchError, match=r"not even .* requests a second are sustained"):
        search(limit=0, start=4)
    with pytest.raises(BenchError, match="requests a second are sustained: the search ends there"):
        search(limit=float("inf"), start=4)


def overload(good, latency, rejection, best=10.0):
    samples = [Sample(0.5, 0, latency, "", "good")] * good + [Sample(0.5, 0, rejection, "", "UNAVAILABLE")] * 20
    return Overload(rate=30, summary=summarise(samples, 0, 1), peak=best, sustainable_p95_ms=250)


@pytest.mark.parametrize(
    ("good", "latency", "rejection", "holds"),
    [
        (9, 500, 99, [True, True, True]),
        (8, 500, 99, [False, True, True]),
        (9, 501, 99, [True, False, True]),
        (9, 500, 100, [True, True, False]),
    ],
)
def test_each_of_three_numbers_must_hold(good, latency, rejection, holds):
    over = overload(good, latency, rejection)
    assert [check[-1] for check in over.checks] == holds
    assert over.holds == all(holds)


def test_what_was_not_seen_does_not_hold():
    silent = Overload(30, summarise([], 0, 1), peak=10, sustainable_p95_ms=250)
    assert [check[-1] for check in silent.checks] == [False, False, False]


def test_the_peak_is_the_best_goodput_wherever_it_was():
    summaries = [summarise([Sample(0, 0, 1, "", "good")] * count, 0, 1) for count in (3, 9, 7)]
    assert peak(summaries) == 9
