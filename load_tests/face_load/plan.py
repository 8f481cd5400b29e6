"""What one run sends, made from locust's options when the run starts."""

import argparse
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

from face_bench.pictures import Picture
from face_load.options import parse_formats, parse_sizes
from face_load.samples import Generator, Sample, write
from face_load.traffic import LoadRequest, Traffic, pictures, traffic


@dataclass
class Plan:
    """traffic: requests by model. samples: of every request that has come to an end."""

    traffic: Mapping[str, Traffic]
    rate: float
    arrivals: str
    think_s: float
    deadline_s: float
    bad_share: float
    seed: int
    prefix: Path | None
    samples: list[Sample] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    cpu_at_start: float = field(default_factory=time.process_time)

    @classmethod
    def make(cls, options: argparse.Namespace, url: str, models: Iterable[str]) -> "Plan":
        """Makes the pictures and asks the server about each of them, once for the same options. Raises LoadError."""
        return cls(
            traffic={m: _traffic(url, m, options.sizes, options.photos, options.formats) for m in models},
            rate=float(options.rate),
            arrivals=options.arrivals,
            think_s=float(options.think),
            deadline_s=float(options.deadline),
            bad_share=float(options.bad_share),
            seed=int(options.seed),
            prefix=Path(options.samples) if options.samples else None,
        )

    def choose(self, model: str, random: Random) -> LoadRequest:
        """The next request of somebody who asks this model."""
        of_model = self.traffic[model]
        return random.choice(of_model.bad if random.random() < self.bad_share else of_model.good)

    def record(self, due: float, sent: float, ended: float, name: str, outcome: str) -> None:
        """Times are those of `time.perf_counter`."""
        self.samples.append(Sample(due - self.started, 1e3 * (sent - due), 1e3 * (ended - due), name, outcome))

    def finish(self) -> None:
        """Writes the samples, if somebody wants them."""
        if self.prefix is None:
            return
        wall = time.perf_counter() - self.started
        generator = Generator(self.started, wall, time.process_time() - self.cpu_at_start)
        self.prefix.parent.mkdir(parents=True, exist_ok=True)
        write(self.prefix, self.samples, generator)


@cache
def _traffic(url: str, model: str, sizes: str, folder: str, formats: str) -> Traffic:
    return traffic(url, model, _pictures(sizes, folder), parse_formats(formats))


@cache
def _pictures(sizes: str, folder: str) -> list[Picture]:
    return pictures(parse_sizes(sizes), Path(folder) if folder else None)
