"""What every model of ours does to answer. Imports no cascade: the smallest process may use it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray


def rows(parts: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Stacks [Nᵢ, *shape] arrays to [B, max N, *shape], zeros behind the real rows."""
    stacked = np.zeros((len(parts), max(map(len, parts)), *shape), dtype)
    for row, part in zip(stacked, parts, strict=True):
        row[: len(part)] = part
    return stacked


def failure(message: str, code: Any) -> Any:
    """The response to a request that has no other; `code` is one of `pb_utils.TritonError`."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
