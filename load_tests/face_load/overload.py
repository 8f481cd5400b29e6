"""What becomes of a server that is asked for more than it can do.

It should do as much as ever, answer what it lets in about as fast as before, and refuse the rest at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from face_bench.table import optional
from face_load.summary import Summary

LEAST_GOODPUT = 0.9
"""Of the best goodput of the same run."""

MOST_P95 = 2.0
"""Times the p95 at the sustainable rate."""

SLOWEST_REJECTION_MS = 100.0
"""For 99 of 100 rejections; the rest may meet a load generator that has no processor to read them."""


@dataclass(frozen=True)
class Overload:
    """rate: requests a second that were sent. peak: the best goodput of the run."""

    rate: float
    summary: Summary
    peak: float
    sustainable_p95_ms: float

    @property
    def goodput_share(self) -> float:
        return self.summary.goodput / self.peak

    @property
    def p95_ratio(self) -> float:
        return self.summary.good.p95 / self.sustainable_p95_ms

    @property
    def checks(self) -> tuple[tuple[str, str, str, bool], ...]:
        """What was asked, what was found, what is allowed, whether it holds. What was not seen does not hold."""
        rejected = self.summary.rejected.p99
        return (
            (
                "goodput, of the peak",
                f"{self.goodput_share:.0%}",
                f"≥ {LEAST_GOODPUT:.0%}",
                self.goodput_share >= LEAST_GOODPUT,
            ),
            (
                "p95 of what was let in, × that at the sustainable rate",
                f"{self.p95_ratio:.2f}",
                f"≤ {MOST_P95:g}",
                self.p95_ratio <= MOST_P95,
            ),
            (
                "rejected within, p99",
                f"{optional(rejected, '.0f')} ms",
                f"< {SLOWEST_REJECTION_MS:g} ms",
                rejected < SLOWEST_REJECTION_MS,
            ),
        )

    @property
    def holds(self) -> bool:
        return all(holds for *_, holds in self.checks)


def peak(summaries: Sequence[Summary]) -> float:
    """The best goodput."""
    return max(summary.goodput for summary in summaries)
