"""All embeddings of an index in memory, and the search in them: exact, many queries at once.

Single precision says which rows come near enough (`rows`), double precision who is how near. So the answer is the same
wherever the rows lie.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_gallery.nearest import SLACK, Hit, nearest_people
from face_gallery.rows import rows_on
from face_gallery.store import Embeddings, Page, Store

_LEAST_ROWS = 64
"""Nearest rows that a search looks at, from which it takes the people: most have fewer faces than that."""


class Matrix:
    """The embeddings of the index `weights` of a store, rows scaled to length 1. Any number of threads may search.

    device: where they lie, see `rows.rows_on`.
    """

    def __init__(self, store: Store, weights: str, device: str | None = None) -> None:
        self._device = device
        self._store = store
        self._weights = weights
        self._lock = threading.RLock()
        self._number: int | None = None
        self._clear()

    def _clear(self) -> None:
        self._change = 0
        self._rows = rows_on(self._device)
        self._faces = np.empty(0, np.int64)
        self._people = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def blocks(self) -> Iterator[Any]:
        """The rows, float32 [n, D] each, in no order; where they lie on a device, torch's tensors."""
        return self._rows.blocks()

    def refresh(self, upto: int | None = None) -> None:
        """Take over what has changed in the store since the last time.

        upto: the change counter, if somebody has looked at it just now.
        """
        with self._lock:
            if upto is None or upto < self._change:
                upto = self._store.counter()
            if upto == self._change:
                return
            if upto < self._change:
                # An earlier copy of the store has taken its place.
                self._clear()
            try:
                self._take_over(upto)
            except BaseException:
                # In the midst of it: what has come already would come again the next time.
                self._clear()
                raise

    def _take_over(self, upto: int) -> None:
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
        self._rows.append(_unit(page.embeddings))
        self._faces = _with(self._faces, len(self), page.faces)
        self._people = _with(self._people, len(self), page.people)

    def _take_out(self, faces: NDArray[np.int64]) -> None:
        """The last row takes the place of each."""
        rows = np.flatnonzero(np.isin(self._faces[: len(self)], faces)) if len(faces) else faces
        for row in rows[::-1]:
            last = len(self) - 1
            self._rows.take_out(int(row))
            for ids in (self._faces, self._people):
                ids[row], ids[last] = ids[last], 0

    def search(self, queries: Embeddings, top: int, people: NDArray[np.int64] | None = None) -> list[list[Hit]]:
        """The `top` people whose nearest faces are nearest to each query [Q, D], the nearest first.

        people: ids, ascending, among whom to search; None: all. Of equally near ones that with the lowest face id.
        """
        if not len(queries):
            return []
        with self._lock:
            allowed = None if people is None else np.isin(self._people[: len(self)], people)
            size = len(self) if allowed is None else int(allowed.sum())
            wanted = max(_LEAST_ROWS, 2 * top) + SLACK
            while True:
                hits = [
                    self._people_of(query, rows, top)
                    for query, rows in zip(queries, self._rows.nearest(_unit(queries), min(wanted, size), allowed))
                ]
                if wanted >= size or all(len(found) >= top for found in hits):
                    return hits
                wanted *= 8

    def _people_of(self, query: Embeddings, rows: NDArray[np.int64], top: int) -> list[Hit]:
        if not len(rows):
            return []
        found = nearest_people(query[np.newaxis], self._faces[rows], self._people[rows], self._rows.at(rows), top)
        return found[0]


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
