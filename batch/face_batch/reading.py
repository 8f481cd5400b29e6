"""The bytes of items, read ahead of whoever looks at them; none where the source is no longer the manifest's."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from face_batch.addresses import store_of, words
from face_batch.places import Place
from face_batch.sources import CELL, MEMBER, Item, leaf

# Files on the way at a time, of stores that answer slowly; a disk needs two.
READERS = 8
_AHEAD = 32
# Of pictures that wait to be looked at.
_AHEAD_BYTES = 256 << 20
# Cells that are decoded at a time; two such batches are held, as readers side by side ask not quite in order.
_CELLS = _AHEAD
# Groups of rows may hold gigabytes: they are read so many bytes at a time.
_CELLS_BUFFER = 1 << 20


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
        self._at_cells = Lock()
        self._stores: dict[str, Place] = {}
        self._cells: dict[str, _Cells] = {}
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
        """Of an address. All of one bucket share a connection."""
        name = store_of(address)
        with self._lock:
            if name not in self._stores:
                self._stores[name] = Place.at(f"{name}?{self._query}" if name and self._query else name or "/")
            store = self._stores[name]
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
        with self._at_cells:
            if item.file not in self._cells:
                # Of two files, for the same reason as of two batches.
                for file in list(self._cells)[:-1]:
                    del self._cells[file]
                assert self._column is not None
                self._cells[item.file] = _Cells(self.place(item.file), self._column)
            value = self._cells[item.file].value(item.offset)
        if value is None:
            raise NotRead("missing", "the cell is empty")
        return value


class _Cells:
    """A column of bytes of a Parquet file, for rows that come about in order."""

    def __init__(self, place: Place, column: str) -> None:
        self._file = pq.ParquetFile(place.open(), pre_buffer=False, buffer_size=_CELLS_BUFFER)
        self._column = column
        self._held: deque[tuple[int, pa.Array]] = deque(maxlen=2)
        # What is left of the group of rows that was last asked for.
        self._next = self._end = 0
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._broken: str | None = None

    def value(self, row: int) -> bytes | None:
        """None for an empty cell. Raises NotRead where the file is damaged there."""
        for start, values in self._held:
            if start <= row < start + len(values):
                return values[row - start].as_py()
        if not self._next <= row < self._end:
            self._go_to(row)
        while self._next <= row:
            self._decode()
        start, values = self._held[-1]
        return values[row - start].as_py()

    def _go_to(self, row: int) -> None:
        metadata = self._file.metadata
        self._end = 0
        for group in range(metadata.num_row_groups):
            self._next, self._end = self._end, self._end + metadata.row_group(group).num_rows
            if row < self._end:
                break
        self._batches = self._file.iter_batches(_CELLS, row_groups=[group], columns=[self._column])
        self._broken = None

    def _decode(self) -> None:
        if self._broken is None:
            try:
                values = leaf(next(self._batches), self._column)
            except (OSError, pa.ArrowException) as error:
                self._broken = words(error)
        if self._broken is not None:
            # The rest of the group is lost with it.
            raise NotRead("unreadable", self._broken)
        self._held.append((self._next, values))
        self._next += len(values)
