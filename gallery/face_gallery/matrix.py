"""All embeddings of an index in memory, and the search in them: exact, many queries at once.

The rows lie in blocks, so that the matrix grows and shrinks without a second copy of it. A search is a matrix product a
block; what is left of it are the few rows that come near enough.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from face_gallery.nearest import Hit, nearest_people
from face_gallery.store import Embeddings, Page, Store

BLOCK = 32_768
"""Rows of a block: 64 MB of 512 values."""

_LEAST_ROWS = 64
"""Nearest rows that a search looks at, from which it takes the people: most have fewer faces than that."""

_SLACK = 16
"""Rows more than wanted: single precision may order the nearest ones wrongly, which double precision puts right."""


class Matrix:
    """The embeddings of the index `weights` of a store, rows scaled to length 1. Any number of threads may search."""

    def __init__(self, store: Store, weights: str) -> None:
        self._store = store
        self._weights = weights
        self._lock = threading.RLock()
        self._number: int | None = None
        self._clear()

    def _clear(self) -> None:
        self._change = 0
        self._size = 0
        self._blocks: list[Embeddings] = []
        self._faces = np.empty(0, np.int64)
        self._people = np.empty(0, np.int64)

    def __len__(self) -> int:
        return self._size

    def blocks(self) -> Iterator[Embeddings]:
        """The rows, float32 [n, D] each, in no order."""
        for start in range(0, self._size, BLOCK):
            yield self._blocks[start // BLOCK][: self._size - start]

    def refresh(self) -> None:
        """Take over what has changed in the store since the last time."""
        with self._lock:
            upto = self._store.counter()
            if upto == self._change:
                return
            number = self._store.index_number(self._weights)
            went = self._store.went(self._change, upto)
            if went is None or number != self._number:
                # Too much was missed, or the index was dropped.
                self._clear()
                self._number, went = number, np.empty(0, np.int64)
            for page in self._store.came(self._weights, self._change, upto):
                self._append(page)
            self._take_out(went)
            self._change = upto

    def _append(self, page: Page) -> None:
        rows = _unit(page.embeddings)
        start = 0
        while start < len(rows):
            at = self._size % BLOCK
            if at == 0 and self._size // BLOCK == len(self._blocks):
                self._blocks.append(np.empty((BLOCK, rows.shape[1]), np.float32))
            count = min(BLOCK - at, len(rows) - start)
            self._blocks[self._size // BLOCK][at : at + count] = rows[start : start + count]
            self._size += count
            start += count
        self._faces = _with(self._faces, self._size, page.faces)
        self._people = _with(self._people, self._size, page.people)

    def _take_out(self, faces: NDArray[np.int64]) -> None:
        """The last row takes the place of each, and what it leaves becomes zeros."""
        rows = np.flatnonzero(np.isin(self._faces[: self._size], faces)) if len(faces) else faces
        for row in rows[::-1]:
            last = self._size - 1
            of_last = self._blocks[last // BLOCK][last % BLOCK]
            self._blocks[row // BLOCK][row % BLOCK] = of_last
            of_last[:] = 0
            for ids in (self._faces, self._people):
                ids[row], ids[last] = ids[last], 0
            self._size = last
        del self._blocks[-(-self._size // BLOCK) :]

    def search(self, queries: Embeddings, top: int, people: NDArray[np.int64] | None = None) -> list[list[Hit]]:
        """The `top` people whose nearest faces are nearest to each query [Q, D], the nearest first.

        people: ids, ascending, among whom to search; None: all. Of equally near ones that with the lowest face id.
        """
        if not len(queries):
            return []
        with self._lock:
            allowed = None if people is None else np.isin(self._people[: self._size], people)
            size = self._size if allowed is None else int(allowed.sum())
            wanted = max(_LEAST_ROWS, 2 * top) + _SLACK
            while True:
                hits = [
                    self._people_of(query, rows, top)
                    for query, rows in zip(queries, self._nearest(_unit(queries), min(wanted, size), allowed))
                ]
                if wanted >= size or all(len(found) >= top for found in hits):
                    return hits
                wanted *= 8

    def _nearest(self, queries: Embeddings, count: int, allowed: NDArray[np.bool_] | None) -> list[NDArray[np.int64]]:
        """The numbers of the rows that are nearest to each query, in any order."""
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

    def _people_of(self, query: Embeddings, rows: NDArray[np.int64], top: int) -> list[Hit]:
        if not len(rows):
            return []
        embeddings = np.stack([self._blocks[row // BLOCK][row % BLOCK] for row in rows])
        return nearest_people(query[np.newaxis], self._faces[rows], self._people[rows], embeddings, top)[0]


def _unit(rows: Embeddings) -> Embeddings:
    """Rows scaled to length 1; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Embeddings = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def _with(ids: NDArray[np.int64], size: int, new: NDArray[np.int64]) -> NDArray[np.int64]:
    """With new ones at the end, `size` in all; behind it is room for more."""
    if size > len(ids):
        ids = np.concatenate([ids, np.zeros(max(size - len(ids), len(ids) // 2 + 1024), np.int64)])
    ids[size - len(new) : size] = new
    return ids
