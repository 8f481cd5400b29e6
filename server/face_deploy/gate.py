"""What a candidate must come up to before it may answer anybody."""

from collections.abc import Mapping
from dataclasses import dataclass

from face_deploy.answers import Accuracy
from face_deploy.comparison import Comparison

MIN_AGREEMENT = 0.9
MAX_LOSS = 0.01


@dataclass(frozen=True)
class Gate:
    """Limits; None asks for nothing.

    min_agreement: share of the faces, found by either, that both must find. max_loss: so much less average precision
    and recall of annotated faces than the live networks have. min_recall: of annotated faces, whatever the live ones
    have. max_landmark_shift: a share of a face's width. max_slowdown: times the time of the live networks.
    """

    min_agreement: float | None = MIN_AGREEMENT
    max_loss: float = MAX_LOSS
    min_recall: float | None = None
    max_landmark_shift: float = 0.05
    max_slowdown: float = 1.5

    def failures(
        self, comparison: Comparison, live: Mapping[str, Accuracy], candidate: Mapping[str, Accuracy]
    ) -> list[str]:
        """What the candidate fails, a sentence each. live, candidate: by subset; empty without labels."""
        return [
            *self._of_comparison(comparison),
            *(text for subset in candidate for text in self._of_subset(subset, live[subset], candidate[subset])),
        ]

    def _of_comparison(self, comparison: Comparison) -> list[str]:
        failures = []
        agreement, shift = comparison.agreement, comparison.landmark_shift
        if agreement is None or shift is None:
            # Without a face that both found, nothing speaks for the candidate.
            failures.append("no face of these pictures is found by both networks, live and candidate")
        else:
            if self.min_agreement is not None and agreement < self.min_agreement:
                failures.append(f"agreement is {agreement:.3f}, must be at least {self.min_agreement:g}")
            if shift > self.max_landmark_shift:
                failures.append(
                    f"landmarks move by {shift:.3f} of a face's width, may move by {self.max_landmark_shift:g}"
                )
        if comparison.slowdown > self.max_slowdown:
            failures.append(f"it takes {comparison.slowdown:.2f} times as long, may take {self.max_slowdown:g} times")
        return failures

    def _of_subset(self, subset: str, live: Accuracy, candidate: Accuracy) -> list[str]:
        if not candidate.faces:
            return []
        failures = [
            f"{name} on the labels ({subset}) falls from {old:.3f} to {new:.3f}, may fall by {self.max_loss:g}"
            for name, old, new in (
                ("average precision", live.average_precision, candidate.average_precision),
                ("recall", live.recall, candidate.recall),
            )
            if old - new > self.max_loss
        ]
        if self.min_recall is not None and candidate.recall < self.min_recall:
            failures.append(
                f"recall on the labels ({subset}) is {candidate.recall:.3f}, must be at least {self.min_recall:g}"
            )
        return failures
