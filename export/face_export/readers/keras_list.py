"""The `.lz4` files of ipazc/mtcnn 1.0: a joblib pickle with a stage's arrays in Keras's order.

The PyPI package `mtcnn` holds the pretrained ones; they are read from its folder, since importing it wants TensorFlow.
"""

import importlib.metadata
import importlib.util
import io
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from torch import Tensor

from face_export.errors import WeightsError
from face_export.readers.pickles import UNPICKLING_ERRORS

_PACKAGE = "mtcnn"


def find(stage: str) -> tuple[Path, str]:
    """Path of a stage's `.lz4` and what to call it, e.g. `mtcnn 1.0.0 pnet.lz4`."""
    spec = importlib.util.find_spec(_PACKAGE)
    try:
        version = importlib.metadata.version(_PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        version = None
    if version is None or spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            f"the package {_PACKAGE}, which holds the pretrained weights, is not installed: "
            f"pip install {_PACKAGE}==1.0.0, or name a file with --{stage}"
        )
    path = Path(spec.submodule_search_locations[0]) / "assets" / "weights" / f"{stage}.lz4"
    return path, f"{_PACKAGE} {version} {path.name}"


# Layers in the file's order. The regression comes before the probability there.
_LAYERS = {
    "pnet": "conv1 prelu1 conv2 prelu2 conv3 prelu3 conv4_2 conv4_1",
    "rnet": "conv1 prelu1 conv2 prelu2 conv3 prelu3 dense4 prelu4 dense5_2 dense5_1",
    "onet": "conv1 prelu1 conv2 prelu2 conv3 prelu3 conv4 prelu4 dense5 prelu5 dense6_2 dense6_3 dense6_1",
}


def read(data: bytes, stage: str, source: str) -> dict[str, Tensor]:
    """State dict of `stage` from trusted bytes."""
    names = tensor_names(stage)
    arrays = _unpickle(data, source)
    if len(arrays) != len(names):
        raise WeightsError(f"{source} holds {len(arrays)} arrays, {stage} wants {len(names)}")
    return {name: _convert(name, array) for name, array in zip(names, arrays, strict=True)}


def tensor_names(stage: str) -> list[str]:
    """Names of the state dict's tensors, in the order of the file's arrays."""
    names = []
    for layer in _LAYERS[stage].split():
        names.append(f"{layer}.weight")
        if not layer.startswith("prelu"):
            names.append(f"{layer}.bias")
    return names


def _unpickle(data: bytes, source: str) -> list[np.ndarray[Any, Any]]:
    try:
        arrays = joblib.load(io.BytesIO(data))
    except UNPICKLING_ERRORS as error:
        raise WeightsError(f"{source} cannot be read as a joblib file: {error}") from error
    if not isinstance(arrays, list) or not all(isinstance(array, np.ndarray) for array in arrays):
        raise WeightsError(f"{source} does not hold a list of arrays")
    return arrays


def _convert(name: str, array: np.ndarray[Any, Any]) -> Tensor:
    """Convolutions HWIO to OIHW, dense IO to OI, PReLU slopes `[1,1,C]` to `[C]`."""
    if array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif array.ndim == 2:
        array = array.T
    elif name.startswith("prelu"):
        array = array.reshape(-1)
    return torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
