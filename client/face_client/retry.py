"""Retries within a deadline and a budget. Finding faces changes nothing on the server, so asking twice is safe."""

from __future__ import annotations

import random
import threading
import time

from face_client.errors import DeadlineExceeded, ModelNotLoaded, ServerOverloaded, ServerUnavailable
from face_client.forks import renew_in_children
from face_client.options import check_at_least

_BURST = 10.0
_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 2.0


class RetryBudget:
    """Every request earns a share of a retry, and every retry of a refused request spends a whole one.

    However much is refused, the server is then asked at most 1 + share times as often as without retries, and
    ten times more: that much is there at the start, and is never exceeded. As gRPC (A6, client retries) and Finagle
    have it. Clients that ask the same servers may share one; any number of threads may call it.

    share: retries for each request.
    """

    def __init__(self, share: float = 0.2) -> None:
        check_at_least("share", share, 0)
        self._share = share
        self._left = _BURST
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: a thread that is not there may have held the lock."""
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[RetryBudget], tuple[float]]:
        """Elsewhere, a budget of its own with the same share."""
        return type(self), (self._share,)

    def earn(self) -> None:
        """A request is made."""
        with self._lock:
            self._left = min(max(_BURST, self._share), self._left + self._share)

    def spend(self) -> bool:
        """Whether there is a retry left; it is taken."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Attempts:
    """How long one request may still be tried, and what to wait between attempts; the caller does the waiting."""

    def __init__(self, timeout: float, retries: int, budget: RetryBudget) -> None:
        self._timeout = timeout
        self._retries = retries
        self._deadline = time.monotonic() + timeout
        self._failed = 0
        self._budget = budget
        self._budget.earn()

    def left(self) -> float:
        """Seconds for the next attempt. Raises DeadlineExceeded where there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within the timeout of {self._timeout:g} s")
        return left

    def pause(self, error: ServerUnavailable) -> float | None:
        """After an attempt that failed so: seconds to wait before the next, None where there is to be none.

        A server that is gone loses nothing by being asked again; one that has too much to do does, which the budget
        limits. A model that is not loaded is a definite answer.
        """
        pause = backoff(self._failed)
        self._failed += 1
        out_of_time = time.monotonic() + pause >= self._deadline
        if isinstance(error, ModelNotLoaded) or self._failed > self._retries or out_of_time:
            return None
        return None if isinstance(error, ServerOverloaded) and not self._budget.spend() else pause


def backoff(attempt: int) -> float:
    """Seconds before the next attempt, doubled each time; random, so that refused clients do not come back
    together."""
    return float(min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** min(attempt, 30)) * random.uniform(0.5, 1.0))
