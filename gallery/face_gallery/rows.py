"""Where the rows of a matrix lie, and which of them are nearest: a processor's memory here, with NumPy, and a device's
in `device_rows`, with torch.

They lie in blocks, so that they grow and shrink without a second copy. A search is a matrix product a block; what is
left of it are the few rows that come near enough.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 32_768
"""Rows of a block: 64 MB of 512 values."""

Embeddings = NDArray[np.float32]


class Rows(ABC):
    """Rows float32 [N, D] of length 1, known by their numbers."""

    def __init__(self) -> None:
        self._blocks: list[Any] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @abstractmethod
    def _new_block(self, width: int) -> Any:
        """An array of this kind, [BLOCK, width], with anything in it."""

    @abstractmethod
    def _given(self, rows: Embeddings) -> Any:
        """Rows as an array of this kind."""

    @abstractmethod
    def blocks(self) -> Iterator[Any]:
        """All rows, [n, D] each, in the order of their numbers."""

    @abstractmethod
    def at(self, numbers: NDArray[np.int64]) -> Embeddings:
        """The rows of these numbers."""

    @abstractmethod
    def nearest(self, queries: Embeddings, count: int, allowed: NDArray[np.bool_] | None) -> list[NDArray[np.int64]]:
        """The numbers of the `count` rows that are nearest to each query [Q, D] of length 1, in any order.

        allowed: [N], whether a row may be among them; None: all may. There are as many of those as are asked for.
        """

    def append(self, rows: Embeddings) -> None:
        given = self._given(rows)
        start = 0
        while start < len(rows):
            at = self._size % BLOCK
            if at == 0 and self._size // BLOCK == len(self._blocks):
                self._blocks.append(self._new_block(rows.shape[1]))
            count = min(BLOCK - at, len(rows) - start)
            self._blocks[self._size // BLOCK][at : at + count] = given[start : start + count]
            self._size += count
            start += count

    def take_out(self, row: int) -> None:
        """The last row takes its place, and what that leaves becomes zeros."""
        last = self._size - 1
        of_last = self._blocks[last // BLOCK][last % BLOCK]
        self._blocks[row // BLOCK][row % BLOCK] = of_last
        of_last[:] = 0
        self._size = last
        del self._blocks[-(-self._size // BLOCK) :]


class HostRows(Rows):
    """With NumPy, in this processor's memory."""

    def _new_block(self, width: int) -> Embeddings:
        return np.empty((BLOCK, width), np.float32)

    def _given(self, rows: Embeddings) -> Embeddings:
        return rows

    def blocks(self) -> Iterator[Embeddings]:
        for start in range(0, self._size, BLOCK):
            yield self._blocks[start // BLOCK][: self._size - start]

    def at(self, numbers: NDArray[np.int64]) -> Embeddings:
        return np.stack([self._blocks[row // BLOCK][row % BLOCK] for row in numbers])

    def nearest(self, queries: Embeddings, count: int, allowed: NDArray[np.bool_] | None) -> list[NDArray[np.int64]]:
        scores = [np.empty(0, np.float32) for _ in queries]
        rows = [np.empty(0, np.int64) for _ in queries]
        least = np.full((len(queries), 1), -np.inf, np.float32)
        for start, block in zip(range(0, self._size if count else 0, BLOCK), self.blocks()):
            # One query alone is memory's speed; BLAS has a way of its own for it.
            of_block = (block @ queries[0])[np.newaxis] if len(queries) == 1 else queries @ block.T
            if allowed is not None:
                of_block[:, ~allowed[start : start + len(block)]] = -np.inf
            # Few come near enough once some blocks are seen; to look for them is cheaper than to sort.
            near = of_block > least
            for number in np.flatnonzero(near.any(axis=1)):
                found = np.flatnonzero(near[number])
                rows[number] = np.concatenate([rows[number], found + start])
                scores[number] = np.concatenate([scores[number], of_block[number, found]])
                if len(rows[number]) > count:
                    best = np.argpartition(-scores[number], count - 1)[:count]
                    rows[number], scores[number] = rows[number][best], scores[number][best]
                if len(rows[number]) == count:
                    least[number] = scores[number].min()
        return rows


def rows_on(device: str | None) -> Rows:
    """New ones. device: torch's name of a device, such as `cuda:0`; None: this processor's memory, without torch."""
    if device is None:
        return HostRows()
    # Not at the top: nobody else needs torch.
    from face_gallery.device_rows import DeviceRows

    return DeviceRows(device)
