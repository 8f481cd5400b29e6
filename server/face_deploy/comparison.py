"""How the answers of a candidate differ from those of the live networks, over a set of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face_client.matching import match
from face_deploy.answers import Answer

LOOSE, TIGHT = 0.5, 0.9
"""Overlaps (IoU) from which two boxes are the same face, and the same box."""


@dataclass(frozen=True)
class Comparison:
    """Over all pictures. faces: found by the live and by the candidate networks.

    matched: faces that both found at IoU ≥ 0.5. tight: of these, at IoU ≥ 0.9. landmark_shift: the median over the
    matched faces of how far their landmarks lie apart, on average, as a share of the box's width; None without any.
    seconds: that the cascade took for all pictures, live and candidate.
    """

    pictures: int
    faces: tuple[int, int]
    matched: int
    tight: int
    landmark_shift: float | None
    seconds: tuple[float, float]

    @property
    def agreement(self) -> float | None:
        """The share of all faces, found by either, that both found; None where neither found any."""
        return _share(self.matched, self.faces)

    @property
    def tight_agreement(self) -> float | None:
        """The same at IoU ≥ 0.9."""
        return _share(self.tight, self.faces)

    @property
    def slowdown(self) -> float:
        """How many times as long the candidate takes."""
        return self.seconds[1] / self.seconds[0]


def compare(live: Sequence[Answer], candidate: Sequence[Answer]) -> Comparison:
    """Answers to the same pictures, at least one."""
    matched = tight = 0
    shifts: list[float] = []
    for old, new in zip(live, candidate, strict=True):
        pairs = match(old.boxes, new.boxes, LOOSE)
        matched += len(pairs)
        tight += len(match(old.boxes, new.boxes, TIGHT))
        shifts += [_shift(old, i, new, j) for i, j in pairs]
    return Comparison(
        pictures=len(live),
        faces=(sum(len(a.boxes) for a in live), sum(len(a.boxes) for a in candidate)),
        matched=matched,
        tight=tight,
        landmark_shift=float(np.median(shifts)) if shifts else None,
        seconds=(sum(a.seconds for a in live), sum(a.seconds for a in candidate)),
    )


def _shift(old: Answer, i: int, new: Answer, j: int) -> float:
    distances = np.linalg.norm(old.landmarks[i] - new.landmarks[j], axis=1)
    return float(distances.mean() / (old.boxes[i, 2] - old.boxes[i, 0]))


def _share(matched: int, faces: tuple[int, int]) -> float | None:
    either = sum(faces) - matched
    return matched / either if either else None
