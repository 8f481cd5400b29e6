"""Whether something grows over a soak."""

import random

import pytest

from face_load.soak_report import trend

TIMES = [5.0 * n for n in range(61)]


def of(values, allowed=10.0):
    return trend("memory", "MB", TIMES, values, allowed)


def test_growth_is_from_the_middle_to_the_end():
    found = of([100 + at / 10 for at in TIMES])
    assert found.growth == pytest.approx(15)
    assert found.seconds == 150
    assert found.an_hour == pytest.approx(360)
    assert found.largest == 130
    assert not found.holds


def test_the_first_half_may_grow():
    found = of([min(500, 10 * at) for at in TIMES])
    assert found.growth == pytest.approx(0)
    assert found.holds


def test_noise_is_no_growth_and_a_leak_in_noise_is():
    numbers = random.Random(2)
    noise = [numbers.uniform(-8, 8) for _ in TIMES]
    assert of([900 + n for n in noise]).holds
    assert not of([900 + n + at / 5 for n, at in zip(noise, TIMES, strict=True)]).holds


def test_what_shrinks_is_well():
    assert of([900 - at for at in TIMES]).holds


def test_too_few_samples_tell_nothing():
    assert not trend("memory", "MB", [3.0], [900.0], 10).holds
