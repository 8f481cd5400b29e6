"""Retries within a deadline. Finding faces changes nothing on the server, so asking twice is safe."""

from __future__ import annotations

import itertools
import random
import time
from typing import Callable, TypeVar

from face_client.errors import DeadlineExceeded, ServerUnavailable

Answer = TypeVar("Answer")

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 2.0


def call_with_retries(
    call: Callable[[float], Answer], timeout: float, retries: int, wait: Callable[[float], bool]
) -> Answer:
    """call(seconds left), again after ServerUnavailable: `retries` times and `timeout` seconds at most.

    wait(seconds): sleeps, and returns True where it is no use to go on.
    Raises the last error. A refused request, a passed deadline or a fault is never tried again.
    """
    deadline = time.monotonic() + timeout
    for attempt in itertools.count():
        left = deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within the timeout of {timeout:g} s")
        try:
            return call(left)
        except ServerUnavailable:
            delay = backoff(attempt)
            out_of_time = time.monotonic() + delay >= deadline
            if attempt >= retries or out_of_time or wait(delay):
                raise
    raise AssertionError("itertools.count() does not end")


def backoff(attempt: int) -> float:
    """Seconds before the next attempt, doubled each time; random, so that refused clients do not come back
    together."""
    return float(min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2**attempt) * random.uniform(0.5, 1.0))
