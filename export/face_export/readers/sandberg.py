"""`det1.npy`, `det2.npy`, `det3.npy` of David Sandberg's facenet: a pickled dict, layer name to its arrays.

His networks see images with x and y swapped, as the Caffe originals did under MATLAB, so the first axis of
a convolution runs along x: `[x,y,I,O]`. Networks here see images upright and take `[O,I,y,x]`.
"""

import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from face_export.errors import WeightsError
from face_export.mtcnn import STAGES
from face_export.readers.pickles import UNPICKLING_ERRORS

_PARAMETERS = {"weight": "weights", "bias": "biases"}


def read(data: bytes, stage: str, source: str) -> dict[str, Tensor]:
    """State dict of `stage` from trusted bytes."""
    layers = {name.lower(): arrays for name, arrays in _unpickle(data, source).items()}
    return {name: _find(layers, name, source) for name in STAGES[stage]().state_dict()}


def _unpickle(data: bytes, source: str) -> dict[str, dict[str, Any]]:
    try:
        # The files were pickled by Python 2, whose strings are bytes.
        content = np.load(io.BytesIO(data), allow_pickle=True, encoding="latin1")
        layers = content.item()
    except UNPICKLING_ERRORS as error:
        raise WeightsError(f"{source} cannot be read as a NumPy file of layers: {error}") from error
    if not isinstance(layers, dict) or not all(isinstance(arrays, dict) for arrays in layers.values()):
        raise WeightsError(f"{source} does not hold a dict of layers")
    return layers


def _find(layers: dict[str, dict[str, Any]], name: str, source: str) -> Tensor:
    """The tensor that is called `name` here; a dense layer is a `conv` there, and `_` a hyphen."""
    layer, _, parameter = name.partition(".")
    foreign = layer.replace("dense", "conv").replace("_", "-")
    key = "alpha" if layer.startswith("prelu") else _PARAMETERS[parameter]
    try:
        array = np.asarray(layers[foreign][key], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{source}: layer {foreign} has no array {key}") from error
    return torch.from_numpy(np.ascontiguousarray(array.transpose()))  # 4-D: [x,y,I,O] to [O,I,y,x]
