"""Answers of different lengths in one tensor. Needs no Triton around it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rows(parts: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Stacks [Nᵢ, *shape] arrays to [B, max N, *shape], zeros behind the real rows."""
    stacked = np.zeros((len(parts), max(map(len, parts)), *shape), dtype)
    for row, part in zip(stacked, parts, strict=True):
        row[: len(part)] = part
    return stacked
