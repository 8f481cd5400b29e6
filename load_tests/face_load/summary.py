"""Requests of a run summed up: throughput, latency, errors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from face_bench.spread import percentiles
from face_load.outcomes import EXPECTED, GOOD, REJECTED
from face_load.samples import Sample


@dataclass(frozen=True)
class Latency:
    """Milliseconds from when a request was due to the end of its answer; NaN where there was none."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Latency":
        return cls(*percentiles(milliseconds, (50, 95, 99)))


@dataclass(frozen=True)
class Summary:
    """offered: requests a second that were due. goodput: good answers a second to requests of this time.

    rejected: how long it took to hear UNAVAILABLE, from when the request was really sent; NaN where nobody did.
    refused: bad requests that were, as they must be. errors: all that was neither good nor refused so. late_p99_ms: how
    late the load generator itself was.
    """

    seconds: float
    requests: int
    offered: float
    goodput: float
    good: Latency
    rejected: Latency
    slowest_rejection_ms: float
    refused: int
    errors: dict[str, int]
    late_p99_ms: float

    @property
    def error_share(self) -> float:
        """Of all requests, rejected ones among them."""
        return sum(self.errors.values()) / self.requests if self.requests else float("nan")


def summarise(samples: Sequence[Sample], start: float, end: float) -> Summary:
    """All requests that were due from `start` to `end`, seconds of the run, whenever their answers came."""
    due = [sample for sample in samples if start <= sample.due_s < end]
    outcomes = Counter(sample.outcome for sample in due)
    rejected = [sample.latency_ms - sample.late_ms for sample in due if sample.outcome == REJECTED]
    (late_p99,) = percentiles([sample.late_ms for sample in due], (99,))
    return Summary(
        seconds=end - start,
        requests=len(due),
        offered=len(due) / (end - start),
        goodput=outcomes[GOOD] / (end - start),
        good=Latency.of([sample.latency_ms for sample in due if sample.outcome == GOOD]),
        rejected=Latency.of(rejected),
        slowest_rejection_ms=max(rejected, default=float("nan")),
        refused=sum(count for outcome, count in outcomes.items() if outcome in EXPECTED and outcome != GOOD),
        errors={outcome: count for outcome, count in sorted(outcomes.items()) if outcome not in EXPECTED},
        late_p99_ms=late_p99,
    )


def by_request(samples: Sequence[Sample], start: float, end: float) -> dict[str, Summary]:
    """The same for each kind of request, by name."""
    names = sorted({sample.name for sample in samples})
    return {name: summarise([s for s in samples if s.name == name], start, end) for name in names}
