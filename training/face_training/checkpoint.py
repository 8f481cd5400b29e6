"""What a run leaves: checkpoints that torch reads without running code, and curves for TensorBoard."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.tensorboard import SummaryWriter

from face_training.errors import CheckpointError
from face_training.workplace import write_atomically

# Checkpoints: everything that the rest of a run depends on, in one file that torch reads without running code.
#
# `faces export` takes the network out of one as it is: its weights are under the key `model`.


FORMAT = 1
_KEYS = frozenset({"format", "model", "optimizer", "schedule", "epoch", "rng", "settings", "history"})


def save(
    path: Path,
    network: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler,
    epoch: int,
    settings: Mapping[str, Any],
    history: list[dict[str, float]],
) -> None:
    """Writes the state after `epoch` whole epochs; history: what was measured in each."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    state = {
        "format": FORMAT,
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": epoch,
        "rng": {"cpu": torch.get_rng_state(), "cuda": cuda},
        "settings": dict(settings),
        "history": history,
    }
    write_atomically(path, lambda file: torch.save(state, file))


def read(path: Path) -> dict[str, Any]:
    """The checkpoint's parts, on the CPU.

    Raises:
        CheckpointError: it is damaged, or no checkpoint of ours.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: remove it, or pass --fresh") from error
    if not isinstance(state, dict) or not state.keys() >= _KEYS or state["format"] != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of this version: remove it, or pass --fresh")
    return state


def restore(
    path: Path, network: nn.Module, optimizer: Optimizer, schedule: LRScheduler, settings: Mapping[str, Any]
) -> tuple[int, list[dict[str, float]]]:
    """Puts a run where it stopped; gives its number of whole epochs and its history.

    Raises:
        CheckpointError: it cannot be read, or is of a run with other settings.
    """
    state = read(path)
    other = [name for name in settings if state["settings"].get(name) != settings[name]]
    if other:
        raise CheckpointError(f"{path} is of a run with another {' and '.join(other)}: pass --fresh to begin anew")
    network.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    torch.set_rng_state(state["rng"]["cpu"])
    if torch.cuda.is_available() and state["rng"]["cuda"]:
        torch.cuda.set_rng_state_all(state["rng"]["cuda"])
    return state["epoch"], state["history"]


# Curves of a run, for TensorBoard.


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
