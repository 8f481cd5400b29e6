"""How samples are made and networks trained: plain values, known before torch is imported."""

from dataclasses import asdict, dataclass
from typing import Any

from face_cascade.parameters import DetectionParameters


@dataclass(frozen=True)
class SampleSettings:
    """Numbers as in the guides' generators (`gen_12net_data.py` and its descendants).

    negatives: of a picture, anywhere. near: negatives around each face. around: tries for positives and parts around
    each face. shifts: tries for landmark samples around each face, for the picture and for its mirror image.
    mined_negatives: of a picture, the likeliest candidates that are no faces. The rest is how the cascade is asked
    when it mines. RNet keeps all by default: it knows the very pictures that ONet is trained on, and above the usual
    0.7 few of its errors are left to learn from.
    """

    negatives: int = 50
    near: int = 5
    around: int = 20
    shifts: int = 10
    mined_negatives: int = 60
    min_face_size: float = 20.0
    threshold_pnet: float = 0.6
    threshold_rnet: float = 0.0
    factor: float = 0.709
    seed: int = 0

    def detection(self) -> DetectionParameters:
        """What the cascade is asked with.

        Raises:
            face_cascade.InvalidInput: it takes no such threshold, size or factor.
        """
        return DetectionParameters(
            min_face_size=self.min_face_size,
            threshold_pnet=self.threshold_pnet,
            threshold_rnet=self.threshold_rnet,
            factor=self.factor,
        )


@dataclass(frozen=True)
class CropSettings:
    """Which face of a picture FaceNet is shown, and how it is cut: as the request parameters of these names."""

    margin: int = 0
    align: bool = False
    selection: str = "largest"
    min_face_size: float = 20

    def detection(self, side: int) -> DetectionParameters:
        """What the cascade is asked with, for crops of `side` pixels.

        Raises:
            face_cascade.InvalidInput: it takes no such margin or size.
        """
        return DetectionParameters(**asdict(self), image_size=side)


@dataclass(frozen=True)
class TrainingSettings:
    """Adam with weight decay; the learning rate is divided by ten at `steps`, fractions of all epochs.

    batches: in an epoch; 0 for as many as the samples fill. seed: of the first weights, the order of the samples and
    what dropout drops. All of it stands in the checkpoint.
    """

    epochs: int = 20
    batch_size: int = 512
    batches: int = 0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    steps: tuple[float, ...] = (0.5, 0.75, 0.9)
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Plain values only: a checkpoint is read without running any code."""
        return {**asdict(self), "steps": list(self.steps)}

    def milestones(self) -> list[int]:
        """Epochs after which the rate falls."""
        return [max(1, round(step * self.epochs)) for step in self.steps]
