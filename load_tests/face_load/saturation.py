"""The search for the highest rate that a server sustains."""

import math
from collections.abc import Callable

from face_load.errors import LoadError

GROWTH = 1.5
"""Between two rates while all is well."""

PRECISION = 1.05
"""The search ends when a rate that fails is at most so many times one that passes."""

_LOWEST, _HIGHEST = 0.05, 100_000.0


def highest(passes: Callable[[float], bool], start: float) -> float:
    """The highest rate tried that passes: raised from `start` until one fails, then narrowed down in between.

    Where `start` itself fails, lower ones are tried. Raises LoadError where none passes, or none fails.
    """
    low, high = _bracket(passes, start)
    while high > PRECISION * low:
        middle = math.sqrt(low * high)
        if passes(middle):
            low = middle
        else:
            high = middle
    return low


def _bracket(passes: Callable[[float], bool], start: float) -> tuple[float, float]:
    """A rate that passes, and the next one up, which fails."""
    if passes(start):
        low = start
        while passes(low * GROWTH):
            low *= GROWTH
            if low > _HIGHEST:
                raise LoadError(f"{low:g} requests a second are sustained: the search ends there")
        return low, low * GROWTH
    high = start
    while not passes(high / GROWTH):
        high /= GROWTH
        if high < _LOWEST:
            raise LoadError(f"not even {high:.2g} requests a second are sustained; raise --p95, or look for errors")
    return high / GROWTH, high
