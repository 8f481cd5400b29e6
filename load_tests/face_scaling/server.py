"""The model of one replica."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Server:
    """One replica.

    batch: images that an instance takes at once. queue: requests that may wait; None for any number. own_s, shared_s:
    seconds of an image of each kind, those that an instance needs whatever the others do, and those of what they
    share; kinds are equally frequent. batch_s: the same of a batch beside its images, (own, shared). forms: of each
    kind, 0 for one that is sent as pixels, 1 for a file. start_s: from a process to readiness.
    """

    instances: int
    batch: int
    queue: int | None
    own_s: tuple[float, ...]
    shared_s: tuple[float, ...]
    batch_s: tuple[float, float]
    forms: tuple[int, ...]
    start_s: float

    @property
    def capacity(self) -> float:
        """Requests a second with full batches in all instances."""
        return self.batch / (self.batch_s[1] + self.batch * sum(self.shared_s) / len(self.shared_s))
