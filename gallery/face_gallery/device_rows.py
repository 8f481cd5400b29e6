"""Rows of a matrix on a device, with torch. Importing this needs torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from face_gallery import rows
from face_gallery.rows import Embeddings, Rows


class DeviceRows(Rows):
    """In a device's memory. Of a search only the numbers of the rows that it finds come back.

    Where that memory runs out it is MemoryError, as here.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = torch.device(device)

    def _new_block(self, width: int) -> torch.Tensor:
        return torch.empty((rows.BLOCK, width), dtype=torch.float32, device=self._device)

    def _given(self, rows: Embeddings) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self._device)

    def blocks(self) -> Iterator[torch.Tensor]:
        for start in range(0, self._size, rows.BLOCK):
            yield self._blocks[start // rows.BLOCK][: self._size - start]

    def at(self, numbers: NDArray[np.int64]) -> Embeddings:
        found = torch.stack([self._blocks[row // rows.BLOCK][row % rows.BLOCK] for row in numbers.tolist()])
        array: Embeddings = found.cpu().numpy()
        return array

    def append(self, rows: Embeddings) -> None:
        with _memory():
            super().append(rows)

    def nearest(self, queries: Embeddings, count: int, allowed: NDArray[np.bool_] | None) -> list[NDArray[np.int64]]:
        with _memory():
            return self._nearest(queries, count, allowed)

    def _nearest(self, queries: Embeddings, count: int, allowed: NDArray[np.bool_] | None) -> list[NDArray[np.int64]]:
        asked = self._given(queries)
        scores = torch.empty((len(queries), 0), dtype=torch.float32, device=self._device)
        numbers = torch.empty((len(queries), 0), dtype=torch.int64, device=self._device)
        for start, block in zip(range(0, self._size if count else 0, rows.BLOCK), self.blocks()):
            of_block = asked @ block.T
            if allowed is not None:
                barred = torch.from_numpy(~allowed[start : start + len(block)]).to(self._device)
                of_block.masked_fill_(barred, -torch.inf)
            near, found = of_block.topk(min(count, len(block)))
            scores = torch.cat([scores, near], dim=1)
            numbers = torch.cat([numbers, found + start], dim=1)
            if scores.shape[1] > count:
                scores, best = scores.topk(count)
                numbers = numbers.gather(1, best)
        numbers_here, scores_here = numbers.cpu().numpy(), scores.cpu().numpy()
        return [row[of_row > -np.inf] for row, of_row in zip(numbers_here, scores_here)]


@contextmanager
def _memory() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
