"""Curves of a run, for TensorBoard."""

from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter


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
