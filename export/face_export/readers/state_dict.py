"""torch state dicts: facenet-pytorch's `.pt` files and checkpoints of networks built here."""

import argparse
import io
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np
import torch
from torch import Tensor

from face_export.errors import WeightsError

# Where checkpoints keep the weights beside other things: the first of these, else the only dict of tensors there is.
_CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "module")

# What wrappers put before each name: DataParallel, Lightning and others, torch.compile.
_PREFIXES = ("module.", "network.", "_orig_mod.", "model.", "net.", "backbone.")

# torch.optim.swa_utils' count of averaged networks.
_COUNT = "n_averaged"

_SCALAR: Any = np.float64(0).__reduce__()[0]

# What usual checkpoints hold besides, and can do nothing: options, places, numbers of NumPy.
_HARMLESS = [
    argparse.Namespace,
    pathlib.PosixPath,
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32", "bool")),
    _SCALAR,
    # As NumPy 2 names it.
    (_SCALAR, "numpy._core.multiarray.scalar"),
]


def read(data: bytes, source: str) -> dict[str, Tensor]:
    """State dict from any bytes: torch's restricted unpickler builds tensors and plain containers only."""
    state = _state(_unpickle(data, source), source)
    tensors = {str(name): tensor.detach() for name, tensor in state.items() if name != _COUNT}
    while prefix := next((p for p in _PREFIXES if tensors and all(name.startswith(p) for name in tensors)), None):
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _state(content: Any, source: str) -> dict[str, Tensor]:
    """The weights in a checkpoint, however deep they lie."""
    while not _is_state(content):
        inner = (
            {key: value for key, value in content.items() if isinstance(value, dict)}
            if isinstance(content, dict)
            else {}
        )
        states = [key for key, value in inner.items() if _is_state(value)]
        key = next((key for key in _CONTAINERS if key in inner), states[0] if len(states) == 1 else None)
        if key is None:
            several = f"; it has several: {', '.join(map(str, states))}" if states else ""
            raise WeightsError(f"{source} does not hold a state dict (tensors by name){several}")
        content = inner[key]
    state: dict[str, Tensor] = content
    return state


def _is_state(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(isinstance(value, Tensor) for value in content.values())


def _unpickle(data: bytes, source: str) -> Any:
    if _is_torchscript(data):
        raise WeightsError(f"{source} is a TorchScript archive: pass the state dict it was made from")
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{source} holds more than tensors, which could run code when read: "
            "save its state dict alone (torch.save(network.state_dict(), file))"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"{source} is damaged, or no state dict") from error


def _is_torchscript(data: bytes) -> bool:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return False
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
