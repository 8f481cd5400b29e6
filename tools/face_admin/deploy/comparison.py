"""How a candidate's answers differ from those of the live networks, and whether that is good enough."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from face_admin.deploy.confidence import loss_doubt, share_doubt
from face_admin.deploy.errors import DeployError
from face_tools.evaluation.average_precision import Detections, judge, normalized, precision_recall
from face_tools.matching import match

if TYPE_CHECKING:
    from face_tools.evaluation.wider_truth import Truth


LOOSE, TIGHT = 0.5, 0.9
"""Overlaps (IoU) from which two boxes are the same face, and the same box."""

MIN_AGREEMENT = 0.9
MAX_LOSS = 0.01


@dataclass(frozen=True)
class Answer:
    """The faces of one picture, in pixels: boxes [N, 4] x1, y1, x2, y2, landmarks [N, 5, 2], probabilities [N].

    seconds: that the cascade took, without decoding; 0 where nobody measured.
    """

    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    seconds: float = 0.0


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
    def either(self) -> int:
        """Faces that either found, those that both found once."""
        return sum(self.faces) - self.matched

    @property
    def either_tight(self) -> int:
        """The same where only boxes at IoU ≥ 0.9 are one face."""
        return sum(self.faces) - self.tight

    @property
    def agreement(self) -> float | None:
        """The share of all faces, found by either, that both found; None where neither found any."""
        return self.matched / self.either if self.either else None

    @property
    def tight_agreement(self) -> float | None:
        """The same at IoU ≥ 0.9."""
        return self.tight / self.either_tight if self.either_tight else None

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


@dataclass(frozen=True, eq=False)
class Accuracy:
    """On one subset of annotated faces. found: BOOL [N], of each of them whether it was found, at the thresholds asked
    with. false: faces found that are none of the annotated ones.
    """

    average_precision: float
    found: NDArray[np.bool_]
    false: int

    @property
    def faces(self) -> int:
        """So many the subset has."""
        return len(self.found)

    @property
    def recall(self) -> float:
        """The share of them that was found; 0 of none."""
        return float(self.found.mean()) if len(self.found) else 0.0


def accuracy(answers: Mapping[str, Answer], truth: "Truth") -> dict[str, Accuracy]:
    """How good answers are where the faces are known, by the protocol of WIDER FACE; an entry for each subset.

    answers: by the picture's name, as the annotation has it; all must be in the annotation.
    """
    found = normalized(
        {name: Detections(a.boxes.astype(float), a.probabilities.astype(float)) for name, a in answers.items()}
    )
    return {subset: _on_subset(found, truth, subset) for subset in truth.subsets}


def _on_subset(found: Mapping[str, Detections], truth: "Truth", subset: str) -> Accuracy:
    judged = [
        judge(detections, truth.pictures[name].boxes, truth.pictures[name].counted[subset])
        for name, detections in found.items()
    ]
    false = sum(int(np.sum(picture.proposals & ~picture.hits)) for picture in judged)
    found_faces = np.concatenate([np.zeros(0, np.bool_), *(picture.found for picture in judged)])
    return Accuracy(precision_recall(judged).average_precision, found_faces, false)


@dataclass(frozen=True)
class Gate:
    """What a candidate must come up to before it may answer anybody; None asks for nothing.

    min_agreement: share of the faces, found by either, that both must find. max_loss: so much less average precision
    and recall of annotated faces than the live networks have. min_recall: of annotated faces, whatever the live ones
    have. max_landmark_shift: a share of a face's width. max_slowdown: times the time of the live networks.
    accept_few: judge by so few faces as there are, also where they do not show what is asked for (`doubts`).

    Raises DeployError for a limit that is no number, which nothing would ever fail.
    """

    min_agreement: float | None = MIN_AGREEMENT
    max_loss: float = MAX_LOSS
    min_recall: float | None = None
    max_landmark_shift: float = 0.05
    max_slowdown: float = 1.5
    accept_few: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is not None and not math.isfinite(limit):
                raise DeployError(f"{field.name} of the gate is {limit}, must be a finite number")

    def failures(
        self, comparison: Comparison, live: Mapping[str, Accuracy], candidate: Mapping[str, Accuracy]
    ) -> list[str]:
        """What the candidate fails, a sentence each. live, candidate: by subset; empty without labels."""
        return [
            *self._of_comparison(comparison),
            *(text for subset in candidate for text in self._of_subset(subset, live[subset], candidate[subset])),
            *([] if self.accept_few else self.doubts(comparison, live, candidate)),
        ]

    def doubts(
        self, comparison: Comparison, live: Mapping[str, Accuracy], candidate: Mapping[str, Accuracy]
    ) -> list[str]:
        """Which limits the candidate keeps on these faces, without their being enough to show it; a sentence each."""
        doubts = [self._doubt(subset, live[subset].found, candidate[subset].found) for subset in candidate]
        if self.min_agreement is not None:
            doubts.append(share_doubt(comparison.matched, comparison.either, self.min_agreement, "an agreement"))
        return [doubt for doubt in doubts if doubt]

    def _doubt(self, subset: str, live: NDArray[np.bool_], candidate: NDArray[np.bool_]) -> str:
        lost, gained = int(np.sum(live & ~candidate)), int(np.sum(candidate & ~live))
        return loss_doubt(lost, gained, len(live), self.max_loss, f"recall on the labels ({subset})")

    # Every limit is written as `not …`: a candidate whose numbers are NaN keeps none of them.

    def _of_comparison(self, comparison: Comparison) -> Iterator[str]:
        agreement, shift = comparison.agreement, comparison.landmark_shift
        if agreement is None or shift is None:
            # Without a face that both found, nothing speaks for the candidate.
            yield "no face of these pictures is found by both networks, live and candidate"
        else:
            if self.min_agreement is not None and not agreement >= self.min_agreement:
                yield f"agreement is {agreement:.3f}, must be at least {self.min_agreement:g}"
            if not shift <= self.max_landmark_shift:
                yield f"landmarks move by {shift:.3f} of a face's width, may move by {self.max_landmark_shift:g}"
        if not comparison.slowdown <= self.max_slowdown:
            yield f"it takes {comparison.slowdown:.2f} times as long, may take {self.max_slowdown:g} times"

    def _of_subset(self, subset: str, live: Accuracy, candidate: Accuracy) -> Iterator[str]:
        if not candidate.faces:
            return
        for name, old, new in (
            ("average precision", live.average_precision, candidate.average_precision),
            ("recall", live.recall, candidate.recall),
        ):
            if not old - new <= self.max_loss:
                yield (
                    f"{name} on the labels ({subset}) falls from {old:.3f} to {new:.3f}, may fall by {self.max_loss:g}"
                )
        if self.min_recall is not None and not candidate.recall >= self.min_recall:
            yield f"recall on the labels ({subset}) is {candidate.recall:.3f}, must be at least {self.min_recall:g}"
