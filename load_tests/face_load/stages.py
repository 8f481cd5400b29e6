"""Load that changes over time.

"1-20@30,20@60,60@10" ramps from 1 to 20 users in 30 s, holds them for 60 s, then has a spike of 60 users for 10 s.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STAGE = re.compile(r"^(?P<start>\d+)(?:-(?P<end>\d+))?@(?P<seconds>\d+(?:\.\d+)?)$")


@dataclass(frozen=True)
class Stage:
    """From `start` users to `end` users on a straight line, in so many seconds."""

    start: int
    end: int
    seconds: float


def parse(text: str) -> tuple[Stage, ...]:
    """Raises ValueError with a sentence."""
    return tuple(_stage(part.strip()) for part in text.split(","))


def _stage(text: str) -> Stage:
    found = _STAGE.match(text)
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
