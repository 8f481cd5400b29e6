"""Places for requests: how many are answered at a time, and what memory their pictures and answers may take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from face_gateway.errors import TooManyRequests
from face_gateway.settings import Limits


@dataclass
class Places:
    """How many requests have one, and how many bytes are kept for all of them."""

    limits: Limits
    taken: int = 0
    held: int = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[Place]:
        """For a body of that size. Raises TooManyRequests where there is no place."""
        if self.taken >= self.limits.in_flight:
            raise TooManyRequests(f"{self.taken} requests are being answered, and no more are taken at a time")
        place = Place(self)
        place.keep(size)
        self.taken += 1
        try:
            yield place
        finally:
            self.taken -= 1
            self.held -= place.held


@dataclass
class Place:
    """Of one request, until its answer is out."""

    of: Places
    held: int = 0

    def keep(self, size: int) -> None:
        """More memory, for a large answer. Raises TooManyRequests where there is none: nobody waits for it, since
        those who have some could wait for one another."""
        if self.of.held + size > self.of.limits.held_bytes:
            raise TooManyRequests("the pictures of other requests fill the memory that is kept for them")
        self.held += size
        self.of.held += size
