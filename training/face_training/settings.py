"""How a network is trained. All of it stands in the checkpoint."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingSettings:
    """Adam with weight decay; the learning rate is divided by ten at `steps`, fractions of all epochs.

    batches: in an epoch; 0 for as many as the samples fill. seed: of the first weights, the order of the samples and
    what dropout drops.
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
