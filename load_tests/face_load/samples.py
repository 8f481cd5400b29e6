"""Every request of a run: as the locust process writes them and the commands read them; and summed up."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

from face_bench.spread import percentiles
from face_bench.wire import EXPECTED, GOOD, REJECTED


@dataclass(frozen=True)
class Sample:
    """One request. due_s: when it was to be sent, seconds from the start. late_ms: how much later it was sent, which is
    the load generator's own fault. latency_ms: from when it was due to the end of the answer."""

    due_s: float
    late_ms: float
    latency_ms: float
    name: str
    outcome: str


@dataclass(frozen=True)
class Generator:
    """What the load generator itself used between start and stop. started: on the clock of `time.perf_counter`, which
    all processes of a machine share on Linux."""

    started: float
    wall_s: float
    cpu_s: float

    @property
    def cores(self) -> float:
        return self.cpu_s / self.wall_s


def write(prefix: Path, samples: Iterable[Sample], generator: Generator) -> None:
    """PREFIX_requests.csv and PREFIX_generator.json."""
    with _requests(prefix).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(Sample))
        for sample in samples:
            due, late, latency, name, outcome = astuple(sample)
            writer.writerow((f"{due:.4f}", f"{late:.2f}", f"{latency:.2f}", name, outcome))
    _generator(prefix).write_text(json.dumps(asdict(generator)) + "\n")


def read(prefix: Path) -> tuple[list[Sample], Generator]:
    """What `write` wrote. Raises OSError where a run has written nothing."""
    with _requests(prefix).open(newline="") as file:
        samples = [
            Sample(float(row["due_s"]), float(row["late_ms"]), float(row["latency_ms"]), row["name"], row["outcome"])
            for row in csv.DictReader(file)
        ]
    return samples, Generator(**json.loads(_generator(prefix).read_text()))


def _requests(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}_requests.csv")


def _generator(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}_generator.json")


@dataclass(frozen=True)
class Percentiles:
    """Milliseconds from when a request was due to the end of its answer; NaN where there was none."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> "Percentiles":
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
    good: Percentiles
    rejected: Percentiles
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
        good=Percentiles.of([sample.latency_ms for sample in due if sample.outcome == GOOD]),
        rejected=Percentiles.of(rejected),
        slowest_rejection_ms=max(rejected, default=float("nan")),
        refused=sum(count for outcome, count in outcomes.items() if outcome in EXPECTED and outcome != GOOD),
        errors={outcome: count for outcome, count in sorted(outcomes.items()) if outcome not in EXPECTED},
        late_p99_ms=late_p99,
    )


def by_request(samples: Sequence[Sample], start: float, end: float) -> dict[str, Summary]:
    """The same for each kind of request, by name."""
    names = sorted({sample.name for sample in samples})
    return {name: summarise([s for s in samples if s.name == name], start, end) for name in names}
