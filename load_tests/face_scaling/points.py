"""Measured points of a server, and the small file that keeps them."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from face_bench import BenchError

CPU = Path(__file__).with_name("cpu.json")
"""Measured by `python -m face_scaling measure` on the machine that it names."""

GPU = Path(__file__).with_name("gpu.json")
"""What docs/gpu.md says of an H200, and no more."""


@dataclass(frozen=True)
class Point:
    """One load on one server.

    bounded: whether its queue is. clients: of a closed loop; None for an open one. offered: requests a second of an
    open loop. goodput: good answers a second. Latencies count from when a request was due, queue_ms is the mean wait
    that Triton tells of, pending the mean of what it says waits, batch images an execution. refused: share of
    requests. busy: share of the time for which a GPU was.
    """

    bounded: bool
    clients: int | None
    offered: float | None
    goodput: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    queue_ms: float
    pending: float
    batch: float
    refused: float
    server_cores: float
    other_cores: float
    busy: float = float("nan")

    @property
    def line(self) -> str:
        load = f"{self.clients} clients" if self.clients else f"{self.offered:g} requests a second"
        return (
            f"queue {'bounded' if self.bounded else 'unbounded'}, {load}: {self.goodput:.1f} good a second, p50 "
            f"{self.p50_ms:.0f} ms, p99 {self.p99_ms:.0f} ms, {self.pending:.2f} wait, {self.batch:.2f} a batch, "
            f"others {self.other_cores:.2f} cores"
        )

    @classmethod
    def quietest(cls, points: "Sequence[Point]") -> "Point":
        """Of several measurements of one load those in which others used least, a third of them: the median of
        each number."""
        quiet = sorted(points, key=lambda point: point.other_cores)[: max(1, round(len(points) / 3))]
        names = [field.name for field in fields(cls) if field.name not in ("bounded", "clients", "offered")]
        return replace(quiet[0], **{n: round(statistics.median(getattr(p, n) for p in quiet), 3) for n in names})


@dataclass(frozen=True)
class Measurement:
    """source: machine and date. kinds_ms: what each kind of request takes alone. start_s: from the start of a server
    to its readiness."""

    source: str
    start_s: float
    kinds_ms: dict[str, float]
    points: list[Point]

    @property
    def closed(self) -> list[Point]:
        """Those of closed loops on a server whose queue has no bound: what the model is fitted to."""
        return [point for point in self.points if point.clients and not point.bounded]


def save(measurement: Measurement, path: Path) -> None:
    """A point a line."""
    whole = asdict(measurement)
    points = ",\n  ".join(json.dumps(point) for point in whole.pop("points"))
    path.write_text(json.dumps(whole, indent=1)[:-2] + f',\n "points": [\n  {points}\n ]\n}}\n')


def load(path: Path) -> Measurement:
    """What a file does not say of a point is NaN. Raises BenchError where it is missing or has not what it should."""
    try:
        read: dict[str, Any] = json.loads(path.read_text())
        points = [Point(**{**_UNKNOWN, **point}) for point in read["points"]]
        return Measurement(read["source"], read["start_s"], read.get("kinds_ms", {"all": 1.0}), points)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} has no measurement: {error}") from error


_UNKNOWN: dict[str, Any] = {field.name: float("nan") for field in fields(Point)} | {
    "bounded": False,
    "clients": None,
    "offered": None,
}
