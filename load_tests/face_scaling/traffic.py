"""A day of arrivals, made to be hard on a rule that only sees what waits already."""

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400
_HOUR = 3600
_MINUTE = 60

NIGHT, PEAK = 0.4, 3.5
"""Replicas' worth of work in the smallest hours and at the height of the day."""

EVENTS = (
    (9.0, "a step: half as much again from one second to the next, for 90 minutes"),
    (12.5, "a lull of 12 minutes, with a tenth of the callers"),
    (14.0, "three spikes of 3 minutes, twice as much, 20 minutes apart"),
    (17.0, "a minute of silence, then all who could not ask come back within 5 s"),
    (19.5, "a spike of 10 minutes, half as much again, at the height of the day"),
)
"""(hour, what happens)."""


def day(unit: float, seed: int = 1) -> NDArray[np.float64]:
    """Requests a second for every second of a day. unit: those that one replica can answer."""
    seconds = np.arange(DAY_S)
    # Least at 4, most at 16; the square makes nights long.
    height = (0.5 - 0.5 * np.cos(2 * np.pi * (seconds / _HOUR - 4) / 24)) ** 1.5
    rates = unit * (NIGHT + (PEAK - NIGHT) * height) * _weather(seed)
    _times(rates, 9.0, 90 * _MINUTE, 1.5)
    _times(rates, 12.5, 12 * _MINUTE, 0.1)
    for n in range(3):
        _times(rates, 14.0 + n / 3, 3 * _MINUTE, 2.0)
    _reconnect(rates, 17.0, silent_s=_MINUTE, within_s=5)
    _times(rates, 19.5, 10 * _MINUTE, 1.5)
    return rates


def _weather(seed: int) -> NDArray[np.float64]:
    """A slow wandering around 1, by a tenth, with a memory of ten minutes."""
    random = np.random.default_rng(seed)
    steps, keep = random.normal(size=DAY_S // _MINUTE), np.exp(-1 / 10)
    values = np.zeros(len(steps))
    for n in range(1, len(steps)):
        values[n] = keep * values[n - 1] + np.sqrt(1 - keep**2) * steps[n]
    wander: NDArray[np.float64] = np.exp(0.1 * np.interp(np.arange(DAY_S), np.arange(len(values)) * _MINUTE, values))
    return wander


def _times(rates: NDArray[np.float64], hour: float, seconds: int, factor: float) -> None:
    start = round(hour * _HOUR)
    rates[start : start + seconds] *= factor


def _reconnect(rates: NDArray[np.float64], hour: float, silent_s: int, within_s: int) -> None:
    start = round(hour * _HOUR)
    back = start + silent_s
    rates[back : back + within_s] += rates[start:back].sum() / within_s
    rates[start:back] = 0
