"""When a file that is a pickle may be read: unpickling can run any code that the file's author chose."""

import hashlib
import pickle
from pathlib import Path

from face_export.errors import UntrustedWeights, WeightsError

MTCNN_PACKAGE_SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}
"""The three .lz4 files in version 1.0.0 of the PyPI package `mtcnn`."""

_PINNED = frozenset(MTCNN_PACKAGE_SHA256.values())

UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    ValueError,
    EOFError,
    OSError,
    RuntimeError,
    ImportError,
    AttributeError,
    LookupError,
    TypeError,
)
"""What pickle, numpy, joblib and lz4 raise over damaged or foreign bytes."""


def read_bytes(path: Path) -> bytes:
    """The whole file, or `WeightsError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read weights {path}: {error.strerror}") from error


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def require_trust(data: bytes, source: str, trust: bool) -> None:
    """Raise `UntrustedWeights` unless these very bytes are pinned or the caller trusts them."""
    found = sha256(data)
    if not trust and found not in _PINNED:
        raise UntrustedWeights(
            f"{source} is a pickle, which can run code when read, and nobody pinned its SHA-256 {found}: "
            "pass --trust if you know where it comes from"
        )
