"""Growth of memory is taken over the second half."""

import pytest

from face_bench.many_clients import MemorySample, growth


def samples(pss):
    return [MemorySample(100 * n, rss_mb=9999, pss_mb=value) for n, value in enumerate(pss)]


def test_the_first_half_does_not_count():
    assert growth(samples([0, 500, 900, 1000, 1000, 1000, 1000])) == pytest.approx(0)


def test_growth_is_in_megabytes_per_thousand_requests():
    assert growth(samples([0, 0, 0, 3, 4, 5, 6])) == pytest.approx(10)
