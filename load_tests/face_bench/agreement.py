"""Whether two contenders found the same faces."""

from dataclasses import dataclass

import numpy as np

from face_bench.faces import FoundFaces
from face_tools.matching import match

MATCH_IOU = 0.9
"""Overlap from which two boxes are the same face."""


@dataclass(frozen=True)
class Unmatched:
    """A face that only one side found."""

    found_by: str
    box: tuple[float, ...]
    probability: float


@dataclass(frozen=True)
class Agreement:
    """One contender's faces against the reference's in one picture. Distances in pixels, None where none matched."""

    picture: str
    contender: str
    reference: str
    matched: int
    largest_landmark_distance: float | None
    unmatched: tuple[Unmatched, ...]


def compare(picture: str, contender: str, found: FoundFaces, reference: str, expected: FoundFaces) -> Agreement:
    """Pairs the faces of both sides, best overlap first, and lists those left over."""
    pairs = match(found.boxes, expected.boxes, MATCH_IOU)
    distances = [np.linalg.norm(found.landmarks[i] - expected.landmarks[j], axis=1).max() for i, j in pairs]
    return Agreement(
        picture,
        contender,
        reference,
        len(pairs),
        float(max(distances)) if distances else None,
        (
            *_left_over(contender, found, {i for i, _ in pairs}),
            *_left_over(reference, expected, {j for _, j in pairs}),
        ),
    )


def _left_over(found_by: str, faces: FoundFaces, used: set[int]) -> list[Unmatched]:
    return [
        Unmatched(found_by, tuple(map(float, faces.boxes[i])), float(faces.probabilities[i]))
        for i in range(len(faces))
        if i not in used
    ]
