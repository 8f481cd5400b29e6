"""A limit on retries, so that they do not multiply an overload."""

from __future__ import annotations

import threading

_BURST = 10.0


class RetryBudget:
    """Every request earns a share of a retry, and every retry of a refused request spends a whole one.

    However much is refused, the server is then asked at most 1 + share times as often as without retries, and
    ten times more: that much is there at the start, and is never exceeded. As gRPC (A6, client retries) and Finagle
    have it. Clients that ask the same servers may share one; any number of threads may call it.

    share: retries for each request.
    """

    def __init__(self, share: float = 0.2) -> None:
        self._share = share
        self._left = _BURST
        self._lock = threading.Lock()

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
