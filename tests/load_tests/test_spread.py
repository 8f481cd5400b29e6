"""Median, quartiles, percentiles and slope."""

import math

import pytest

from face_bench.spread import Spread, percentiles, slope


def test_the_spread_of_a_series():
    spread = Spread.of([5, 1, 2, 4, 3])
    assert spread == Spread(median=3, quartile_1=2, quartile_3=4, least=1, count=5)
    assert spread.iqr == 2


def test_one_measurement_has_no_spread():
    assert Spread.of([7.5]).iqr == 0


def test_no_measurement_has_no_median():
    with pytest.raises(ValueError, match="no measurements"):
        Spread.of([])


def test_percentiles_are_interpolated():
    assert percentiles(list(range(101)), (50, 95, 99)) == [50, 95, 99]
    assert percentiles([0, 10], (50,)) == [5]
    assert all(map(math.isnan, percentiles([], (50, 99))))


def test_the_slope_is_that_of_the_line():
    assert slope([0, 1, 2, 3], [1, 3, 5, 7]) == pytest.approx(2)
    assert slope([0, 1, 2, 3], [4, 4, 4, 4]) == pytest.approx(0)
    assert math.isnan(slope([1, 1], [1, 2]))
