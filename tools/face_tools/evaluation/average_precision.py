"""Average precision by the protocol of WIDER FACE's evaluation tools (S. Yang, P. Luo, C. C. Loy, X. Tang,
"WIDER FACE: A Face Detection Benchmark", CVPR 2016; eval_tools 1.0).

Boxes are x1, y1, x2, y2 in pixels with x2 = x + width; the tools count both border pixels, so that a side is
x2 − x1 + 1. Their rules, as they are:

- scores are stretched to 0…1 over the whole set, and precision and recall are taken at 1,000 thresholds;
- in each picture the detections come in descending order of score, and each goes to the annotated face that
  it overlaps most, where that is at least 0.5;
- if that face counts in the subset, the first detection of it is a hit, and a further one is false;
- if it does not count, the detection is neither true nor false;
- a picture without any annotated face is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_tools.matching import iou

THRESHOLDS = 1000
MIN_OVERLAP = 0.5

# From the last pixel inside a box to the first one beyond it.
_BORDER = np.array([0.0, 0.0, 1.0, 1.0])

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Detections:
    """Of one picture. boxes: float64 [P, 4]; scores: float64 [P]; in any order."""

    boxes: Floats
    scores: Floats


@dataclass(frozen=True)
class Judged:
    """Detections held against the annotation, in descending order of score.

    scores [P]; proposals [P]: counts at all; hits [P]: the first of its face. found: of each face that counts, whether
    it has a hit.
    """

    scores: Floats
    proposals: Bools
    hits: Bools
    found: Bools

    @property
    def faces(self) -> int:
        """How many count."""
        return len(self.found)


@dataclass(frozen=True)
class PrecisionRecall:
    """precision, recall: float64 [THRESHOLDS], from the highest threshold to the lowest. faces: how many count."""

    precision: Floats
    recall: Floats
    faces: int

    @property
    def average_precision(self) -> float:
        """The area under the envelope of the curve, as PASCAL VOC 2010 and later integrate it."""
        recall = np.concatenate(([0.0], self.recall, [1.0]))
        precision = np.concatenate(([0.0], self.precision, [0.0]))
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(recall) * envelope[1:]))


def normalized(detections: Mapping[str, Detections]) -> dict[str, Detections]:
    """The detections of a whole set with its scores stretched to 0…1.

    Where all scores are equal they become 1; the tools divide by zero there.
    """
    scores = np.concatenate([np.empty(0), *(found.scores for found in detections.values())])
    if not len(scores):
        return dict(detections)
    low, span = scores.min(), scores.max() - scores.min()
    return {
        name: Detections(found.boxes, (found.scores - low) / span if span else np.ones_like(found.scores))
        for name, found in detections.items()
    }


def overlaps(boxes: Floats, faces: Floats) -> Floats:
    """Intersection over union of boxes [P, 4] with faces [G, 4], as [P, G]; border pixels count."""
    return iou(boxes + _BORDER, faces + _BORDER)


def judge(found: Detections, faces: Floats, counted: Bools) -> Judged:
    """Hold the detections of a picture against its annotated faces [G, 4], of which those that are
    `counted` [G] belong to the subset."""
    order = np.argsort(-found.scores, kind="stable")
    scores = found.scores[order]
    if not len(faces) or not len(scores):
        return Judged(scores[:0], np.zeros(0, np.bool_), np.zeros(0, np.bool_), np.zeros(int(counted.sum()), np.bool_))
    overlap = overlaps(found.boxes[order], faces)
    # Of equal overlaps the first face, as the tools take it.
    face = overlap.argmax(axis=1)
    matched = overlap.max(axis=1) >= MIN_OVERLAP
    proposals = ~matched | counted[face]
    candidates = np.flatnonzero(matched & counted[face])
    _, first = np.unique(face[candidates], return_index=True)
    hits = np.zeros(len(scores), np.bool_)
    hits[candidates[first]] = True
    found_faces = np.zeros(len(faces), np.bool_)
    found_faces[face[candidates]] = True
    return Judged(scores, proposals, hits, found_faces[counted])


def precision_recall(pictures: Iterable[Judged]) -> PrecisionRecall:
    """The curve of a set, whose scores are stretched to 0…1 already. Without a face to find, recall is 0."""
    judged = list(pictures)
    faces = sum(picture.faces for picture in judged)
    proposals = _at_least([picture.scores[picture.proposals] for picture in judged])
    hits = _at_least([picture.scores[picture.hits] for picture in judged])
    # Where nothing is proposed precision is undefined; recall is 0 there, so that it has no part in the area.
    precision = np.divide(hits, proposals, out=np.zeros(THRESHOLDS), where=proposals > 0)
    return PrecisionRecall(precision, hits / max(faces, 1), faces)


def _at_least(scores: list[Floats]) -> NDArray[np.int64]:
    """How many scores reach each threshold, [THRESHOLDS], from the highest threshold 0.999 down to 0."""
    ascending = np.sort(np.concatenate([np.empty(0), *scores]))
    thresholds = 1 - np.arange(1, THRESHOLDS + 1) / THRESHOLDS
    return len(ascending) - np.searchsorted(ascending, thresholds, side="left")
