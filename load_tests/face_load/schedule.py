"""When: users over time, and requests over time.

In an open loop requests are due whatever becomes of the ones before them. A closed loop asks less of a server that is
slow, and so never sees what callers who come regardless would see ("coordinated omission", G. Tene, How NOT to Measure
Latency, 2013). Latency counts from when a request was due.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

POISSON = "poisson"
CONSTANT = "constant"
KINDS = (POISSON, CONSTANT)

_STAGE = re.compile(r"(?P<start>[0-9]{1,6})(?:-(?P<end>[0-9]{1,6}))?@(?P<seconds>[0-9]{1,7}(?:\.[0-9]{1,9})?)")


def arrivals(rate: float, kind: str, random: Random) -> Iterator[float]:
    """Seconds from the start to each request, without end.

    Poisson: gaps of exponential distribution, as independent callers make them. Streams of rates a and b together are
    one of rate a + b. Constant: equal gaps; the first one is cut short at random, so that streams do not march in step.
    """
    if not rate > 0:
        raise ValueError(f"rate is {rate}, must be over 0 requests a second")
    if kind not in KINDS:
        raise ValueError(f"arrivals are {kind!r}, must be one of {', '.join(KINDS)}")
    at = random.expovariate(rate) if kind == POISSON else random.random() / rate
    while True:
        yield at
        at += random.expovariate(rate) if kind == POISSON else 1 / rate


@dataclass(frozen=True)
class Stage:
    """From `start` users to `end` users on a straight line, in so many seconds."""

    start: int
    end: int
    seconds: float


def parse_stages(text: str) -> tuple[Stage, ...]:
    """Load over time: "1-20@30,20@60,60@10" ramps from 1 to 20 users in 30 s, holds them for 60 s, then has a spike of
    60 users for 10 s. Raises ValueError with a sentence."""
    return tuple(_stage(part.strip()) for part in text.split(","))


def _stage(text: str) -> Stage:
    found = _STAGE.fullmatch(text)
    if not found or float(found["seconds"]) <= 0:
        raise ValueError(f"stage {text!r} must be USERS@SECONDS to hold, or FROM-TO@SECONDS to ramp")
    start = int(found["start"])
    return Stage(start, int(found["end"] or start), float(found["seconds"]))


def users_at(stages: Sequence[Stage], seconds: float) -> int | None:
    """Users at this time from the start; None when all stages are over."""
    for stage in stages:
        if seconds < stage.seconds:
            return round(stage.start + (stage.end - stage.start) * seconds / stage.seconds)
        seconds -= stage.seconds
    return None
