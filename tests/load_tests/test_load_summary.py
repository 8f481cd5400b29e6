"""Requests of a run summed up."""

import math
import random

import numpy as np
import pytest

from face_bench.wire import BAD_ANSWERED, GOOD, REFUSED, REJECTED
from face_load.samples import Sample, by_request, summarise


def sample(due, outcome=GOOD, latency=100.0, late=1.0, name="mtcnn raw 8x8"):
    return Sample(due, late, latency, name, outcome)


def test_requests_count_by_when_they_were_due():
    found = summarise([sample(due) for due in (0.9, 1.0, 1.5, 2.999, 3.0)], 1, 3)
    assert (found.seconds, found.requests, found.offered, found.goodput) == (2, 3, 1.5, 1.5)


def test_each_outcome_is_counted_as_what_it_is():
    outcomes = [GOOD] * 5 + [REFUSED] * 2 + [REJECTED] * 2 + ["DEADLINE_EXCEEDED", BAD_ANSWERED]
    found = summarise([sample(0.5, outcome) for outcome in outcomes], 0, 1)
    assert found.requests == 11
    assert found.goodput == 5
    assert found.refused == 2
    assert found.errors == {REJECTED: 2, "DEADLINE_EXCEEDED": 1, BAD_ANSWERED: 1}
    assert found.error_share == 4 / 11


def test_percentiles_are_those_of_good_answers():
    numbers = random.Random(3)
    good = [numbers.uniform(1, 1000) for _ in range(200)]
    bad = [sample(0, "INTERNAL", latency=5000) for _ in range(50)]
    found = summarise([*(sample(0, latency=latency) for latency in good), *bad], 0, 1)
    assert [found.good.p50, found.good.p95, found.good.p99] == pytest.approx(list(np.percentile(good, (50, 95, 99))))


def test_a_rejection_takes_from_when_the_request_was_sent():
    samples = [sample(0, REJECTED, latency=30 + n, late=30) for n in range(101)]
    found = summarise(samples, 0, 1)
    assert (found.rejected.p50, found.rejected.p95, found.slowest_rejection_ms) == (50, 95, 100)
    assert found.late_p99_ms == 30


def test_nothing_has_no_latency():
    found = summarise([], 0, 10)
    assert (found.requests, found.goodput, found.errors) == (0, 0, {})
    numbers = (found.good.p95, found.rejected.p99, found.slowest_rejection_ms, found.late_p99_ms, found.error_share)
    assert all(map(math.isnan, numbers))


def test_kinds_of_requests_add_up_to_all():
    numbers = random.Random(5)
    outcomes, names = (GOOD, GOOD, REJECTED, REFUSED), ("a", "b", "c")
    samples = [sample(numbers.uniform(0, 9), numbers.choice(outcomes), name=numbers.choice(names)) for _ in range(300)]
    whole, parts = summarise(samples, 2, 7), by_request(samples, 2, 7)
    assert sorted(parts) == ["a", "b", "c"]
    assert sum(part.requests for part in parts.values()) == whole.requests
    assert sum(part.goodput for part in parts.values()) == pytest.approx(whole.goodput)
    assert sum(part.errors.get(REJECTED, 0) for part in parts.values()) == whole.errors[REJECTED]
