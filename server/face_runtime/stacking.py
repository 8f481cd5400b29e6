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


def texts(parts: Sequence[Sequence[str]]) -> NDArray[np.object_]:
    """Stacks [Nᵢ] texts to [B, max N] in UTF-8, empty ones behind the real ones."""
    stacked = np.full((len(parts), max(map(len, parts))), b"", np.object_)
    for row, part in zip(stacked, parts, strict=True):
        row[: len(part)] = [text.encode() for text in part]
    return stacked
