"""Whether something grows: the second half of a series of samples, since the first one fills pools and caches."""

from collections.abc import Sequence
from dataclasses import dataclass

from face_bench.spread import slope


@dataclass(frozen=True)
class Trend:
    """One thing over the second half of a run.

    largest: of the whole run. growth: of the straight line through the samples (least squares), from the middle of the
    run to its end, `seconds` later. allowed: the most that counts as none.
    """

    what: str
    unit: str
    largest: float
    growth: float
    seconds: float
    allowed: float

    @property
    def an_hour(self) -> float:
        """The growth if it went on for an hour."""
        return 3600 * self.growth / self.seconds

    @property
    def holds(self) -> bool:
        """False where there were too few samples to tell."""
        return self.growth <= self.allowed


def trend(what: str, unit: str, times: Sequence[float], values: Sequence[float], allowed: float) -> Trend:
    """times: seconds, ascending, at least one."""
    middle = (times[0] + times[-1]) / 2
    second = [(at, value) for at, value in zip(times, values, strict=True) if at >= middle]
    rise = slope([at for at, _ in second], [value for _, value in second])
    seconds = times[-1] - middle
    return Trend(what, unit, max(values), rise * seconds, seconds, allowed)
