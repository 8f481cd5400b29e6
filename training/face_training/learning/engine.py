"""A training run in a folder, whatever is trained: epochs, steps, schedule, checkpoints, curves for TensorBoard."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import MultiStepLR
from torch.utils.tensorboard import SummaryWriter

from face_training.errors import NonFiniteLoss
from face_training.learning import checkpoint
from face_training.settings import TrainingSettings
from face_training.workplace import CHECKPOINT, LOG

Batch = TypeVar("Batch")


class Task(Protocol[Batch]):
    """What is trained."""

    batches_per_epoch: int

    @property
    def network(self) -> nn.Module:
        """Holds the weights that are wanted in the end."""

    @property
    def module(self) -> nn.Module:
        """What is put in train mode, and whose parameters are trained."""

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch; must depend on nothing but its number."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of a batch by name."""

    def total(self, losses: dict[str, Tensor]) -> Tensor:
        """What is minimised."""

    def validate(self) -> dict[str, float]:
        """Numbers to follow, after an epoch; may be none."""


class Engine:
    """One run in one folder. An earlier one that is there goes on, if its settings are these.

    Raises:
        CheckpointError: the folder holds a checkpoint of another run.
    """

    def __init__(
        self,
        task: Task[Any],
        folder: Path,
        settings: TrainingSettings,
        provenance: Mapping[str, Any],
        device: torch.device,
    ) -> None:
        """provenance: what else the run depends on, as plain values; another is another run."""
        self.task, self.folder, self.settings, self.device = task, folder, settings, device
        task.module.to(device)
        self.optimizer = AdamW(task.module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
        self.schedule = MultiStepLR(self.optimizer, settings.milestones(), gamma=0.1)
        self.configuration = {**settings.as_json(), **provenance}
        self.epoch, self.history = 0, list[dict[str, float]]()
        # What dropout draws follows from the seed, or goes on from the checkpoint's state.
        torch.manual_seed(settings.seed)
        if self.path.exists():
            self.epoch, self.history = checkpoint.restore(
                self.path, task.network, self.optimizer, self.schedule, self.configuration
            )

    @property
    def path(self) -> Path:
        """The checkpoint, written after every epoch."""
        return self.folder / CHECKPOINT

    def run(self) -> Iterator[dict[str, float]]:
        """Trains to the last epoch; after each yields its means, rate and validation, and its number as `epoch`.

        Raises:
            NonFiniteLoss: a loss is infinite or no number. The checkpoint of the epoch before stays.
        """
        if self.epoch >= self.settings.epochs:
            return  # and no log without a point
        with CurveLog(self.folder / LOG) as log:
            while self.epoch < self.settings.epochs:
                measured = self._train_epoch()
                measured |= {f"validation_{name}": value for name, value in self._validate().items()}
                self.epoch += 1
                self.history.append({"epoch": self.epoch, **measured})
                checkpoint.save(
                    self.path,
                    self.task.network,
                    self.optimizer,
                    self.schedule,
                    self.epoch,
                    self.configuration,
                    self.history,
                )
                log.write(self.epoch, measured)
                yield self.history[-1]

    def _train_epoch(self) -> dict[str, float]:
        self.task.module.train()
        sums: dict[str, Tensor] = {}
        for number, batch in enumerate(self.task.batches(self.epoch), start=1):
            with mixed_precision(self.device):
                losses = self.task.losses(batch)
                losses["total"] = self.task.total(losses)
            self._check(losses, number)
            self.optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()
            self.optimizer.step()
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + value.detach()
        rate = self.optimizer.param_groups[0]["lr"]
        self.schedule.step()
        means = {name: float(value) / self.task.batches_per_epoch for name, value in sums.items()}
        return {**means, "learning_rate": rate}

    def _check(self, losses: dict[str, Tensor], batch: int) -> None:
        if not losses["total"].isfinite():
            parts = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
            raise NonFiniteLoss(
                f"the loss is not finite in epoch {self.epoch + 1}, batch {batch}: {parts}; "
                "lower the learning rate, or look at the samples"
            )

    def _validate(self) -> dict[str, float]:
        self.task.module.eval()
        with torch.inference_mode():
            return self.task.validate()


class CurveLog:
    """Writes numbers by epoch into a folder: `tensorboard --logdir` shows them."""

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder))

    def write(self, epoch: int, measured: dict[str, float]) -> None:
        """`validation_…` comes below `validation`, the rest below `training`."""
        for name, value in measured.items():
            plain = name.removeprefix("validation_")
            group = "training" if plain == name else "validation"
            self._writer.add_scalar(f"{group}/{plain}", value, epoch)
        self._writer.flush()

    def __enter__(self) -> "CurveLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def mixed_precision(device: torch.device) -> AbstractContextManager[Any]:
    """bfloat16 where a GPU has it, which needs no scaling of the loss; float32 elsewhere."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()


def best_device() -> torch.device:
    """The GPU where torch sees one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
