"""Trained weights in the formats that others read: a torch state dict, and ipazc's `.lz4` list of arrays."""

from collections.abc import Mapping
from pathlib import Path

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from face_export.readers.keras_list import tensor_names
from face_training.files import write_atomically


def write_state_dict(path: Path, network: nn.Module) -> None:
    """As facenet-pytorch's `pnet.pt`, `rnet.pt`, `onet.pt`: tensors by name."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_atomically(path, lambda file: torch.save(tensors, file))


def write_keras_list(path: Path, stage: str, network: nn.Module) -> None:
    """As ipazc's mtcnn 1.0 ships and reads them: `joblib.load(path)` is what Keras's `set_weights` takes."""
    tensors = network.state_dict()
    arrays = [_keras_order(name, tensors) for name in tensor_names(stage)]
    write_atomically(path, lambda file: joblib.dump(arrays, file, compress="lz4"))


def _keras_order(name: str, tensors: Mapping[str, Tensor]) -> NDArray[np.float32]:
    """The inverse of `face_export.readers.keras_list`: OIHW to HWIO, OI to IO, slopes `[C]` to what Keras has."""
    array = tensors[name].detach().cpu().numpy()
    if array.ndim == 4:
        return np.ascontiguousarray(array.transpose(2, 3, 1, 0))
    if array.ndim == 2:
        return np.ascontiguousarray(array.T)
    after_convolution = name.replace("prelu", "conv") in tensors
    if name.startswith("prelu") and after_convolution:
        # Shared over both axes of a map.
        return array.reshape(1, 1, -1).copy()
    return array.copy()
