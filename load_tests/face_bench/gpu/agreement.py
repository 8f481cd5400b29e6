"""How far our faces are from the reference's in the same picture."""

from dataclasses import dataclass

import numpy as np

from face_bench.contenders import MATCH_IOU, FoundFaces
from face_tools.matching import match


@dataclass(frozen=True)
class Difference:
    """One picture. matched: faces that overlap by MATCH_IOU. The largest differences of a coordinate, in pixels, and of
    a probability, among those; None where none matched."""

    picture: str
    sent: str
    expected: int
    found: int
    matched: int
    box: float | None
    landmark: float | None
    probability: float | None

    @property
    def same_faces(self) -> bool:
        return self.expected == self.found == self.matched


def difference(picture: str, sent: str, found: FoundFaces, expected: FoundFaces) -> Difference:
    """sent: as what the picture went to our server."""
    pairs = match(found.boxes, expected.boxes, MATCH_IOU)
    ours, theirs = [i for i, _ in pairs], [j for _, j in pairs]

    def largest(name: str) -> float | None:
        if not pairs:
            return None
        return float(np.abs(getattr(found, name)[ours] - getattr(expected, name)[theirs]).max())

    numbers = (largest(name) for name in ("boxes", "landmarks", "probabilities"))
    return Difference(picture, sent, len(expected), len(found), len(pairs), *numbers)
