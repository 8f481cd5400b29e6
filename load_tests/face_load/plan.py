"""What one run sends: pictures of several sizes as raw pixels and as files, and some requests that must be refused.

The plan is made from locust's options when the run starts, and takes samples of what came of each request.
"""

import argparse
import io
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from face_bench.pictures import Picture, photos, walls
from face_bench.wire import Request, infer_request, picture_requests
from face_load.options import numbers, parse_formats, parse_sizes
from face_load.samples import Generator, Sample, write

_SIDE = 64


@dataclass(frozen=True)
class Traffic:
    """Good and bad requests to one model."""

    good: Sequence[Request]
    bad: Sequence[Request]


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
        """Makes the pictures and asks the server about each of them, once for the same options. Raises BenchError."""
        given = numbers(options)
        return cls(
            traffic={m: _traffic(url, m, options.sizes, options.photos, options.formats) for m in models},
            rate=given["rate"],
            arrivals=options.arrivals,
            think_s=given["think"],
            deadline_s=given["deadline"],
            bad_share=given["bad_share"],
            seed=int(options.seed),
            prefix=Path(options.samples) if options.samples else None,
        )

    def choose(self, model: str, random: Random) -> Request:
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
    good = picture_requests(url, model, _pictures(sizes, folder), parse_formats(formats))
    return Traffic(good, list(bad_requests(model)))


@cache
def _pictures(sizes: str, folder: str) -> list[Picture]:
    return pictures(parse_sizes(sizes), Path(folder) if folder else None)


def pictures(sizes: Sequence[tuple[int, int]], folder: Path | None) -> list[Picture]:
    """The photos of a folder, or else the wall in these sizes, (width, height). Raises BenchError."""
    return walls(sizes, prefix="") if folder is None else photos(folder)


def bad_requests(model: str) -> Iterator[Request]:
    """Of each kind: must be refused with INVALID_ARGUMENT, and disturb nobody else."""
    pixels = np.zeros((1, _SIDE, _SIDE, 3), np.uint8)
    jpeg = _jpeg()
    for name, tensors, parameters in (
        ("no picture", {"encoded_image": _bytes(b"no picture at all")}, {}),
        ("cut off", {"encoded_image": _bytes(jpeg[:200])}, {}),
        ("no bytes", {"encoded_image": _bytes(b"")}, {}),
        ("both inputs", {"image": pixels, "encoded_image": _bytes(jpeg)}, {}),
        ("wrong type", {"image": pixels.astype(np.float32)}, {}),
        ("wrong shape", {"image": pixels[..., :1]}, {}),
        ("wrong parameter", {"image": pixels}, {"min_face_size": -1}),
        ("unknown parameter", {"image": pixels}, {"no_such": 1}),
    ):
        request = infer_request(model, tensors)
        for parameter, value in parameters.items():
            request.parameters[parameter].int64_param = value
        yield Request(f"{model} bad: {name}", request.SerializeToString())


def _bytes(data: bytes) -> np.ndarray:
    return np.array([[data]], dtype=np.object_)


def _jpeg() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE), "grey").save(file, "JPEG")
    return file.getvalue()
