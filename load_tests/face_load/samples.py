"""Every request of a run, as the locust process writes them and the commands read them."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path


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
