"""What a run is and how far it is: the state of a target lies in the target itself.

    TARGET/part-00000.parquet …   the shards; that one is there is its commit
    TARGET/_SUCCESS               all of them are there
    TARGET/_faces/run.json        what the run is to do, and the fingerprint of what does it
    TARGET/_faces/manifest.parquet   all items, sorted by path; a group of rows is a shard

Neither of the two in `_faces/` is ever changed. Readers of folders of Parquet files leave out names with an underscore.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from face_batch import schema
from face_batch.addresses import words
from face_batch.errors import Disagreement, StoreUnavailable, TargetRefused
from face_batch.places import Place
from face_batch.sources import Item

T = TypeVar("T")

FORMAT = 1
"""Of what a target holds."""

STATE = "_faces"
SUCCESS = "_SUCCESS"
_RUN, MANIFEST = f"{STATE}/run.json", f"{STATE}/manifest.parquet"

# Footers that are read at a time.
_LOOKS = 16


def shard_name(number: int) -> str:
    """Of the file of a shard."""
    return f"part-{number:05d}.parquet"


@dataclass(frozen=True)
class Run:
    """What is to be done, the same for all its shards.

    source: as it was given; query: what that said of its store. column: of Parquet files. every: so manieth frames of
    videos. options: of detection. fingerprint: of what gives the answers, by names that
    people understand.
    """

    source: str
    items: int
    shard_size: int
    embeddings: bool = False
    crops: bool = False
    every: int = 1
    query: str = ""
    column: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def shards(self) -> int:
        return -(-self.items // self.shard_size)

    @property
    def schema(self) -> pa.Schema:
        return schema.schema(self.embeddings, self.crops)

    @property
    def digest(self) -> str:
        """Of all that its rows depend on, the pictures apart. The way to a store is none of it."""
        own = {name: value for name, value in asdict(self).items() if name != "query"}
        return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()

    def facts(self, number: int) -> dict[str, Any]:
        """What the file of a shard says of itself."""
        return {"shard": number, "run": self.digest}

    def difference(self, other: "Run") -> str | None:
        """In what another run is not the same, in words; None where it is. How many items there are now, and how they
        are cut up, is no difference: the manifest stays."""
        mine, others = self._compared(), other._compared()
        different = [name for name in sorted({*mine, *others}) if mine.get(name) != others.get(name)]
        if not different:
            return None
        return "; ".join(f"{name} was {_told(mine.get(name))}, is {_told(others.get(name))}" for name in different)

    def _compared(self) -> dict[str, Any]:
        # As it is read again: a tuple is a list then.
        told = json.loads(json.dumps(asdict(self)))
        own = {name: value for name, value in told.items() if name not in ("items", "shard_size", "query")}
        # One by one: what differs is to be named.
        options, fingerprint = own.pop("options"), own.pop("fingerprint")
        return {**own, **options, **fingerprint}


def _told(value: Any) -> str:
    return "not given" if value is None else str(value)


@dataclass(frozen=True)
class Target:
    """The folder or bucket that a run writes to."""

    place: Place

    @classmethod
    def at(cls, address: str) -> "Target":
        """Raises TargetRefused for an address that must not be used."""
        return cls(Place.at(address))

    def run(self) -> Run | None:
        """The run that is there; None before the first. Raises TargetRefused where it is of another format or damaged,
        StoreUnavailable."""
        place = self.place / _RUN
        try:
            told = json.loads(place.read())
            if told["format"] == FORMAT:
                return Run(**told)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{place.address} cannot be read: {words(error)}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise TargetRefused(f"{place.address} is damaged, or none of `faces batch`") from error
        raise TargetRefused(f"{self.place.address} has format {told['format']}; {FORMAT} is read here")

    def begin(self, run: Run, items: pa.Table) -> None:
        """Writes manifest and run. The run comes last: with it the target is taken."""
        others = [entry.path for entry in self.place.files(recursive=False) if entry.path.endswith(".parquet")]
        if others:
            raise TargetRefused(f"{self.place.address} holds other Parquet files; name an empty folder")
        sink = pa.BufferOutputStream()
        pq.write_table(items, sink, compression=schema.COMPRESSION, row_group_size=run.shard_size)
        (self.place / MANIFEST).write(sink.getvalue())
        (self.place / _RUN).write(f"{json.dumps(asdict(run), indent=1)}\n".encode())

    def items(self, number: int) -> list[Item]:
        """Those of a shard. Raises Disagreement where the manifest is damaged or not there."""
        return [
            Item(**row) for row in _read(self.place / MANIFEST, lambda file: file.read_row_group(number)).to_pylist()
        ]

    def manifest(self) -> pa.Table:
        """All items. Raises as `items` does."""
        return _read(self.place / MANIFEST, lambda file: file.read())

    def shard(self, number: int) -> Place:
        """The file of a shard."""
        return self.place / shard_name(number)

    def done(self, run: Run) -> set[int]:
        """The shards that are there whole. What was cut off, as by a disk that failed, counts as not there."""
        there = {entry.path.rpartition("/")[2] for entry in self.place.files(recursive=False)}
        numbers = [number for number in range(run.shards) if shard_name(number) in there]
        with ThreadPoolExecutor(_LOOKS) as pool:
            whole = pool.map(lambda number: self.facts(number) == run.facts(number), numbers)
            return {number for number, is_whole in zip(numbers, whole, strict=True) if is_whole}

    def facts(self, number: int) -> dict[str, Any]:
        """What a shard says of itself, by its footer; nothing where it is damaged."""
        try:
            return _read(self.shard(number), schema.facts_of)
        except Disagreement:
            return {}

    def read(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a shard. Raises Disagreement where its file is damaged or not there."""
        return _read(self.shard(number), lambda file: file.read(columns=list(columns) if columns is not None else None))

    def commit(self, run: Run, number: int, rows: pa.Table) -> None:
        """The shard is there from here on, whole. Raises StoreUnavailable."""
        self.shard(number).write(schema.to_bytes(rows, run.facts(number)))

    @property
    def is_complete(self) -> bool:
        return (self.place / SUCCESS).info() is not None

    def succeed(self) -> None:
        """Says that all shards are there."""
        (self.place / SUCCESS).write(b"")


def _read(place: Place, ask: Callable[[pq.ParquetFile], T]) -> T:
    try:
        with place.open() as source:
            return ask(pq.ParquetFile(source, page_checksum_verification=True))
    except FileNotFoundError:
        raise Disagreement(f"{place.address} is not there") from None
    except (ValueError, OSError) as error:
        # ValueError: what Arrow, and a name that is no UTF-8, are.
        raise Disagreement(f"{place.address} is damaged: {words(error)}") from error
