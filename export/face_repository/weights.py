"""A network's weights as plain arrays inside of its `model.pt`, for whoever runs it without torch.

A TorchScript archive is a ZIP file that may hold files of its owner's under `extra/`; libtorch ignores them.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

FP32, FP16 = PRECISIONS = "fp32", "fp16"
"""What a network computes in on a GPU, which is how its arrays are stored."""

_FOLDER = "extra/weights/"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def with_weights(archive: bytes, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The archive with these arrays in it; the same bytes whenever both are the same."""
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as target:
        root = target.namelist()[0].partition("/")[0]
        for name, array in weights.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            target.writestr(zipfile.ZipInfo(f"{root}/{_FOLDER}{name}.npy", _EPOCH), content.getvalue())
    return file.getvalue()


def read_weights(file: Path | IO[bytes]) -> dict[str, NDArray[Any]]:
    """The arrays of a `model.pt` by name; none where whoever wrote it put none in.

    Raises:
        OSError, zipfile.BadZipFile, ValueError: the file cannot be read, or is damaged.
    """
    weights = {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.namelist():
            inner = entry.partition("/")[2]
            if inner.startswith(_FOLDER):
                name = inner.removeprefix(_FOLDER).removesuffix(".npy")
                weights[name] = np.load(io.BytesIO(archive.read(entry)), allow_pickle=False)
    return weights


def precision_of(weights: Mapping[str, NDArray[Any]]) -> str:
    """FP16 where any array is stored so, else FP32."""
    return FP16 if any(array.dtype == np.float16 for array in weights.values()) else FP32
