"""The bytes of items, read ahead of whoever looks at them; none where the source is no longer the manifest's."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from face_batch.places import Place, is_remote, words
from face_batch.sources import CELL, MEMBER, Item, leaf

# Files on the way at a time, of stores that answer slowly; a disk needs two.
READERS = 8
_AHEAD = 32
# Of pictures that wait to be looked at.
_AHEAD_BYTES = 256 << 20


class NotRead(Exception):
    """Why an item has no bytes: a status of `face_batch.schema.ERRORS`, and a sentence."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class Reader:
    """Reads items, several at a time.

    query: what the source's address says of its store. column: of the Parquet files whose cells are pictures.
    """

    def __init__(self, query: str = "", column: str | None = None) -> None:
        self._query = query
        self._column = column
        self._lock = Lock()
        self._cells = Lock()
        self._stores: dict[str, Place] = {}
        self._groups: tuple[str, int, Any] | None = None
        # Members of a tar file, and cells, share a file: it is looked at once for all of a shard.
        self._version_of_shared = lru_cache(1024)(self._version)

    def read_all(self, items: Iterable[Item]) -> Iterator[tuple[Item, bytes | NotRead]]:
        """Each item with its bytes, in order; reads ahead while whoever takes them is at work.

        Raises StoreUnavailable.
        """
        waiting: deque[tuple[Item, Future[bytes | NotRead]]] = deque()
        held = 0
        left = iter(items)
        pool = ThreadPoolExecutor(READERS, "reader")
        try:
            while True:
                while len(waiting) < _AHEAD and (held < _AHEAD_BYTES or not waiting):
                    item = next(left, None)
                    if item is None:
                        break
                    waiting.append((item, pool.submit(self._read_or_why, item)))
                    held += max(0, item.size)
                if not waiting:
                    return
                item, future = waiting.popleft()
                held -= max(0, item.size)
                yield item, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def check(self, item: Item) -> None:
        """Raises NotRead where the file is gone or another one than the manifest's."""
        version = self._version_of_shared(item.file) if item.kind in (MEMBER, CELL) else self._version(item.file)
        if version is None:
            raise NotRead("missing", "is not there")
        if not item.version:
            raise NotRead("changed", "was not there when the manifest was made")
        if version != item.version:
            raise NotRead("changed", "was written again since the manifest was made")

    def place(self, address: str) -> Place:
        """Of an address. All of one store share a connection."""
        scheme = address.partition("://")[0] if is_remote(address) else ""
        with self._lock:
            if scheme not in self._stores:
                self._stores[scheme] = Place.at(f"{address}?{self._query}" if scheme and self._query else address)
            store = self._stores[scheme]
        return store.sibling(address.removeprefix(store.prefix))

    def _read_or_why(self, item: Item) -> bytes | NotRead:
        try:
            return self.read(item)
        except NotRead as why:
            return why

    def read(self, item: Item) -> bytes:
        """Raises NotRead, StoreUnavailable."""
        self.check(item)
        try:
            if item.kind == CELL:
                return self._cell(item)
            place = self.place(item.file)
            if item.kind == MEMBER:
                return place.read_part(item.offset, item.size)
            return place.read()
        except FileNotFoundError:
            raise NotRead("missing", "is not there") from None
        except OSError as error:
            raise NotRead("unreadable", words(error)) from error

    def _version(self, file: str) -> str | None:
        try:
            entry = self.place(file).info()
        except OSError as error:
            raise NotRead("unreadable", words(error)) from error
        return entry.version if entry else None

    def _cell(self, item: Item) -> bytes:
        with self._cells:
            start, values = self._group(item)
            value = values[item.offset - start].as_py()
        if value is None:
            raise NotRead("missing", "the cell is empty")
        return bytes(value)

    def _group(self, item: Item) -> tuple[int, pa.ChunkedArray]:
        """First row and values of the group of rows that a cell is in; the last is kept, as rows come in order."""
        if self._groups and self._groups[0] == item.file:
            start, values = self._groups[1:]
            if start <= item.offset < start + len(values):
                return start, values
        assert self._column is not None
        place = self.place(item.file)
        with place.open() as source:
            file = pq.ParquetFile(source)
            start = 0
            for group in range(file.metadata.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                if item.offset < start + rows:
                    values = leaf(file.read_row_group(group, columns=[self._column]), self._column)
                    self._groups = item.file, start, values
                    return start, values
                start += rows
        raise NotRead("missing", "the row is not there")
