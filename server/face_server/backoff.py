"""How long to wait before something is done again, and when to stop doing it."""

from collections import deque
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Pauses that double with every time in the last `window` seconds: 0, first, 2·first … longest.

    limit: so many times in a window, and no more; None for any number.
    """

    first: float = 1.0
    longest: float = 30.0
    window: float = 600.0
    limit: int | None = None
    _times: deque[float] = field(default_factory=deque)

    def next_pause(self, now: float) -> float | None:
        """Seconds to wait before this time; None where the limit is reached. now: a clock that never goes back."""
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()
        count = len(self._times)
        if self.limit is not None and count >= self.limit:
            return None
        self._times.append(now)
        return min(self.longest, self.first * 2.0 ** (count - 1)) if count else 0.0
