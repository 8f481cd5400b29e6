"""Checkpoints: everything that the rest of a run depends on, in one file that torch reads without running code.

`faces export` takes the network out of one as it is: its weights are under the key `model`.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from face_training.errors import CheckpointError
from face_training.workplace import write_file

FORMAT = 1
_KINDS = {
    "format": int,
    "model": dict,
    "optimizer": dict,
    "schedule": dict,
    "epoch": int,
    "rng": dict,
    "settings": dict,
    "history": list,
}


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
    write_file(path, lambda file: torch.save(state, file))


def read(path: Path) -> dict[str, Any]:
    """The checkpoint's parts, on the CPU.

    Raises:
        CheckpointError: it is damaged, or no checkpoint of ours.
    """
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as a checkpoint: remove it, or pass --fresh") from error
    whole = isinstance(state, dict) and all(isinstance(state.get(key), kind) for key, kind in _KINDS.items())
    if not whole or state["format"] != FORMAT:
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
    try:
        network.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"]["cpu"])
        if torch.cuda.is_available() and state["rng"]["cuda"]:
            torch.cuda.set_rng_state_all(state["rng"]["cuda"])
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} does not fit this network: remove it, or pass --fresh") from error
    return state["epoch"], state["history"]
