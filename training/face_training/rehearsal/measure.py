"""Recall and precision of found boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_client.matching import match

SAME_FACE = 0.5
"""Intersection over union from which a found box is the annotated face."""


@dataclass(frozen=True)
class Accuracy:
    """Counts over some pictures: annotated faces, those of them that were found, and boxes that are no face."""

    faces: int
    found: int
    false: int

    @property
    def recall(self) -> float:
        """Share of the faces that were found; NaN without any."""
        return self.found / self.faces if self.faces else float("nan")

    @property
    def precision(self) -> float:
        """Share of the boxes that are a face; NaN without any."""
        boxes = self.found + self.false
        return self.found / boxes if boxes else float("nan")


def accuracy(found: Sequence[NDArray[np.floating]], annotated: Sequence[NDArray[np.floating]]) -> Accuracy:
    """Boxes [N,4] against faces [G,4] of each picture. A face counts once; a second box of it is false."""
    faces = hits = false = 0
    for boxes, truth in zip(found, annotated, strict=True):
        matched = len(match(boxes, truth, SAME_FACE))
        faces, hits, false = faces + len(truth), hits + matched, false + len(boxes) - matched
    return Accuracy(faces, hits, false)
