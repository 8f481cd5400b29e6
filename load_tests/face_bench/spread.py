"""Middle, spread and trend of measurements."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and least of a series, in its own unit."""

    median: float
    quartile_1: float
    quartile_3: float
    least: float
    count: int

    @property
    def iqr(self) -> float:
        """Distance between the quartiles: what half of the measurements lie within."""
        return self.quartile_3 - self.quartile_1

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Raises ValueError for an empty series."""
        if not values:
            raise ValueError("no measurements to take the median of")
        quartile_1, median, quartile_3 = np.percentile(values, (25, 50, 75))
        return cls(float(median), float(quartile_1), float(quartile_3), float(min(values)), len(values))


def percentiles(values: Sequence[float], ranks: Sequence[float]) -> list[float]:
    """The percentiles of a series, interpolated; NaN for each where the series is empty."""
    if not values:
        return [float("nan")] * len(ranks)
    return [float(value) for value in np.percentile(values, ranks)]


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Rise of the straight line through the points (least squares); NaN for fewer than two different x."""
    if len(set(x)) < 2:
        return float("nan")
    return float(np.polyfit(x, y, 1)[0])
