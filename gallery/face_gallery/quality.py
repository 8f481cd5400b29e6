"""Whether a face is good enough to be enrolled: numbers of its picture, and the limits that they must keep.

What a network cannot see in a face it makes up: one blurred or dark face that is enrolled is like many people.
"""

from __future__ import annotations

from dataclasses import dataclass

from face_client.faces import Face


@dataclass(frozen=True)
class Quality:
    """Of one face. size: the shorter side of its box, in pixels of the picture."""

    size: float

    @classmethod
    def of(cls, face: Face) -> Quality:
        """From its box, its landmarks and its crop."""
        x1, y1, x2, y2 = (float(value) for value in face.box)
        return cls(min(x2 - x1, y2 - y1))


@dataclass(frozen=True)
class Gate:
    """The limits of enrolment. min_size: of the box, in pixels."""

    min_size: float = 40.0

    def refusals(self, quality: Quality) -> list[str]:
        """Why a face is not good enough: a clause for each limit that it does not keep, with both numbers."""
        found = []
        if quality.size < self.min_size:
            found.append(f"it is {quality.size:.0f} pixels large, and should be {self.min_size:g} or more")
        return found


DEFAULT_GATE = Gate()
