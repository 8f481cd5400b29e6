"""torch state dicts: facenet-pytorch's `.pt` files and checkpoints of networks built here."""

import io
import pickle
import zipfile
from typing import Any

import torch
from torch import Tensor

from face_export.errors import WeightsError

# Where checkpoints keep the weights beside other things, and what wrappers put before each name.
_CONTAINERS = ("state_dict", "model")
_PREFIXES = ("module.", "network.")


def read(data: bytes, source: str) -> dict[str, Tensor]:
    """State dict from any bytes: torch's restricted unpickler builds tensors and plain containers only."""
    content = _unpickle(data, source)
    for key in _CONTAINERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{source} does not hold a state dict (tensors by name)")
    tensors = {str(name): tensor.detach() for name, tensor in content.items()}
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def _unpickle(data: bytes, source: str) -> Any:
    if _is_torchscript(data):
        raise WeightsError(f"{source} is a TorchScript archive: pass the state dict it was made from")
    try:
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
