"""Reading weights: which reader takes a file is told by its first bytes, and decided here alone."""

from pathlib import Path

from torch import Tensor

from face_export.errors import WeightsError
from face_export.readers import keras_list, sandberg, state_dict
from face_export.readers.pickles import read_bytes, require_trust, sha256
from face_export.weights import Weights

_LZ4_FRAME = b"\x04\x22\x4d\x18"
_NPY = b"\x93NUMPY"
_TORCH = (b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")  # now; before torch 1.6


def read_stage(stage: str, path: Path | None = None, trust: bool = False) -> Weights:
    """Weights of `pnet`, `rnet` or `onet` from a file of any known format, or from the package `mtcnn`.

    Pickle formats (`.lz4`, `.npy`) are read only when their SHA-256 is pinned or `trust` is set.
    """
    source = ""
    if path is None:
        path, source = keras_list.find(stage)
    source = source or path.name
    data = read_bytes(path)
    return Weights(_parse(data, stage, source, trust), source, sha256(data))


def read_state_dict(path: Path) -> Weights:
    """Weights of any network from a torch file."""
    data = read_bytes(path)
    if not data.startswith(_TORCH):
        raise WeightsError(f"{path.name} is not a torch file (.pt)")
    return Weights(state_dict.read(data, path.name), path.name, sha256(data))


def _parse(data: bytes, stage: str, source: str, trust: bool) -> dict[str, Tensor]:
    if data.startswith(_TORCH):
        return state_dict.read(data, source)
    if data.startswith(_LZ4_FRAME):
        require_trust(data, source, trust)
        return keras_list.read(data, stage, source)
    if data.startswith(_NPY):
        require_trust(data, source, trust)
        return sandberg.read(data, stage, source)
    raise WeightsError(f"{source} is no known weight file: torch .pt, ipazc .lz4 or det{{1,2,3}}.npy")
