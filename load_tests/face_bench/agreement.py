"""Whether two contenders found the same faces."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_bench.faces import FoundFaces

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
    pairs = match(found.boxes, expected.boxes)
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


def match(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Indices of boxes [N,4] and [M,4] that are the same face, each used once, best overlap first."""
    overlaps = iou(first, second)
    pairs = []
    while overlaps.size and overlaps.max() >= MATCH_IOU:
        i, j = (int(n) for n in np.unravel_index(overlaps.argmax(), overlaps.shape))
        pairs.append((i, j))
        overlaps[i, :] = overlaps[:, j] = -1
    return pairs


def iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union [N,M] of boxes [N,4] and [M,4]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    union = _areas(first)[:, None] + _areas(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


def _left_over(found_by: str, faces: FoundFaces, used: set[int]) -> list[Unmatched]:
    return [
        Unmatched(found_by, tuple(map(float, faces.boxes[i])), float(faces.probabilities[i]))
        for i in range(len(faces))
        if i not in used
    ]
