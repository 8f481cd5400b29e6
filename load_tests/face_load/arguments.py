"""What the command was asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from face_load.options import DEFAULT_SIZES
from face_load.parsers import PERF_DATA, parser


@dataclass(frozen=True)
class Arguments:
    """`locust`: options for locust itself. A verb uses those of the others that it has."""

    verb: str
    out: Path
    locust: tuple[str, ...]
    networks: str = "auto"
    bounded_queue: bool = True
    users: int = 8
    rate: float = 0.0
    seconds: float = 0.0
    warm_up: float = 0.0
    stages: str = ""
    p95: float = 0.0
    errors: float = 0.0
    start: float = 0.0
    overload: float = 0.0
    minutes: float = 0.0
    interval: float = 0.0
    bad_share: float = 0.0
    sizes: str = DEFAULT_SIZES
    photos: Path | None = None


def parse(arguments: Sequence[str] | None = None) -> Arguments:
    reading = parser()
    known, rest = reading.parse_known_args(arguments)
    if rest and known.verb == PERF_DATA:
        reading.error(f"unrecognized arguments: {' '.join(rest)}")
    return Arguments(**vars(known), locust=tuple(rest))
