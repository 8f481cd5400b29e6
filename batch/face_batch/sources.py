"""What there is to read: every kind of source becomes a list of items, sorted by path, each once.

An item is a picture or a video: a file, a member of a tar file (as WebDataset's are), or a cell of a Parquet column.
"""

import io
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face_batch.addresses import check_address, is_remote, split_query, store_of, words
from face_batch.errors import BadSource, StoreUnavailable
from face_batch.patterns import is_pattern, matching, printable
from face_batch.places import Entry, Place
from face_pictures.folders import is_hidden, left_out, pictures_in
from face_pictures.formats import SUFFIXES
from face_tools.video.frames import VIDEO_SUFFIXES

T = TypeVar("T")

PICTURE, VIDEO, MEMBER, CELL = "picture", "video", "member", "cell"
"""The kinds of items."""

_LISTS = (".txt", ".lst", ".list")
_TAR, _PARQUET = ".tar", ".parquet"
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
# One request gets so much of a tar file, in which most members' headers lie close together.
_TAR_BUFFER = 1 << 20
# So many paths of a list are asked about at a time.
_ASKED_AT_ONCE = 16
# Items become columns so many at a time: as objects, millions would take gigabytes.
_CHUNK = 10_000

ITEM_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("kind", pa.string()),
        # Where its bytes are, and from where on: a byte of a tar file, a row of a Parquet file.
        ("file", pa.string()),
        ("offset", pa.int64()),
        # Bytes; -1 where nobody knows.
        ("size", pa.int64()),
        # Of the file; empty where it was not there.
        ("version", pa.string()),
    ]
)


@dataclass(frozen=True)
class Item:
    """A line of the manifest; see ITEM_SCHEMA."""

    path: str
    kind: str
    file: str
    offset: int
    size: int
    version: str


@dataclass(frozen=True)
class Listing:
    """items: ITEM_SCHEMA, sorted by path. notes: what was left out, a sentence each."""

    items: pa.Table
    notes: tuple[str, ...]


def list_source(source: str, column: str | None = None) -> Listing:
    """All items of a source: a folder, a pattern, a list of paths, Parquet files (with the column), tar files.

    Raises BadSource where it is none of these, or holds nothing; StoreUnavailable.
    """
    notes: list[str] = []
    try:
        table = _table(_items(source, column, notes))
    except (OSError, pa.ArrowException) as error:
        kind = StoreUnavailable if is_remote(source) else BadSource
        raise kind(f"{split_query(source)[0]} cannot be listed: {words(error)}") from error
    order = pc.sort_indices(table, sort_keys=[("path", "ascending")])
    table = table.take(order)
    unique = _first_of_each(table)
    if len(unique) < len(table):
        notes.append(f"{len(table) - len(unique)} paths were named more than once, and are read once")
    if not len(unique):
        raise BadSource(f"{source} holds no picture" + "".join(f"; {note}" for note in notes))
    return Listing(unique, tuple(notes))


def _table(items: Iterator[Item]) -> pa.Table:
    rows = (pa.RecordBatch.from_pylist([vars(item) for item in some], ITEM_SCHEMA) for some in _chunks(items))
    return pa.Table.from_batches(rows, ITEM_SCHEMA)


def _chunks(of: Iterable[T]) -> Iterator[list[T]]:
    left = iter(of)
    while some := list(islice(left, _CHUNK)):
        yield some


def _first_of_each(table: pa.Table) -> pa.Table:
    if not len(table):
        return table
    paths = table["path"].combine_chunks()
    is_new = pc.not_equal(paths.slice(1), paths.slice(0, len(paths) - 1))
    return table.filter(pa.concat_arrays([pa.array([True]), is_new]))


def _items(source: str, column: str | None, notes: list[str]) -> Iterator[Item]:
    place = Place.at(source)
    if column is not None and _suffix(place.path) != _PARQUET:
        raise BadSource(f"--column {column} is of Parquet files, and {place.address} names none")
    entry, denied = None, None
    try:
        entry = place.info()
    except PermissionError as error:
        # Who may read `photos/*` of a bucket, and list it, may not ask for `photos`.
        denied = error
    if entry is not None:
        yield from _items_of_file(place, entry, column)
    elif place.is_folder():
        yield from _in_folder(place, notes) if place.is_local else _in_bucket(place)
    elif is_pattern(place.path):
        yield from _of_pattern(place, column, notes)
    else:
        raise denied or BadSource(f"{place.address} is not there")


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _items_of_file(place: Place, entry: Entry, column: str | None) -> Iterator[Item]:
    suffix = _suffix(place.path)
    if suffix in _LISTS:
        yield from _of_list(place, _lines(place))
    elif suffix == _PARQUET:
        if column is None:
            raise BadSource(f"{place.address} is a Parquet file: name the column of paths or of bytes with --column")
        yield from _of_parquet(place, entry, column)
    elif suffix == _TAR:
        yield from _of_tar(place, entry)
    elif place.path.lower().endswith(_COMPRESSED):
        raise BadSource(f"{place.address} is compressed, so that no member can be read by itself: decompress it first")
    else:
        yield _file(place, entry)


def _file(place: Place, entry: Entry | None) -> Item:
    """A picture or a video by itself; entry None: it is not there."""
    kind = VIDEO if _suffix(place.path) in VIDEO_SUFFIXES else PICTURE
    size, version = (entry.size, entry.version) if entry else (-1, "")
    return Item(place.address, kind, place.address, 0, size, version)


def _in_folder(place: Place, notes: list[str]) -> Iterator[Item]:
    found = pictures_in(Path(place.path), VIDEO_SUFFIXES)
    notes.extend(map(printable, found.notes()))
    others = []
    for name in map(str, found.files):
        if name == printable(name):
            yield _looked_up(place.sibling(name))
        else:
            others.append(printable(name))
    if others:
        notes.append(left_out(others, "names that are not UTF-8, as a table's must be"))


def _in_bucket(place: Place) -> Iterator[Item]:
    for entry in place.files():
        inner = PurePosixPath(entry.path[len(place.path) :].lstrip("/"))
        wanted = inner.suffix.lower() in SUFFIXES or inner.suffix.lower() in VIDEO_SUFFIXES
        if wanted and not any(map(is_hidden, inner.parts)):
            yield _file(place.sibling(entry.path), entry)


def _of_pattern(place: Place, column: str | None, notes: list[str]) -> Iterator[Item]:
    """What a pattern matches: `*` and `?` within a name, `**` through folders. Tables and lists by their suffix."""
    matches, others = False, []
    for entry in matching(place):
        matches = True
        file, suffix = place.sibling(entry.path), _suffix(entry.path)
        if suffix in (*_LISTS, _PARQUET) and _suffix(place.path) != suffix:
            others.append(file.address)
        else:
            yield from _items_of_file(file, entry, column)
    if not matches:
        raise BadSource(f"no file matches {place.address}")
    if others:
        notes.append(left_out(others, "no picture; a pattern with the same ending reads what it names"))


def _lines(place: Place) -> list[str]:
    try:
        # With or without the mark that Windows puts before it.
        text = place.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSource(f"{place.address} is no list of paths in UTF-8") from error
    lines = map(str.strip, text.split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def _of_list(place: Place, paths: Iterable[str]) -> Iterator[Item]:
    """Paths, relative ones as from the list's own folder; files that are not there too, to be told of as missing."""
    folder = place.sibling(place.path.rpartition("/")[0])
    stores = {place.store: place}
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        for some in _chunks(paths):
            # A store takes a request for each.
            yield from pool.map(_looked_up, [_named(path, folder, stores) for path in some])


def _named(path: str, folder: Place, stores: dict[str, Place]) -> Place:
    """Of a list in a folder. stores: those that are open; a list names thousands of paths of one."""
    if "://" not in path and (folder.is_local or not path.startswith("/")):
        return folder.sibling(str(PurePosixPath(folder.path, path)))
    check_address(path)
    if split_query(path)[1]:
        raise BadSource(
            f"{split_query(path)[0]}?… stands in a list, which holds paths: the environment says where a store is"
        )
    store = store_of(path)
    if store not in stores:
        stores[store] = Place.at(path)
    return stores[store].sibling(path.removeprefix(stores[store].prefix))


def _looked_up(place: Place) -> Item:
    try:
        return _file(place, place.info())
    except PermissionError:
        # To be told of when it is read.
        return _file(place, None)


def _of_parquet(place: Place, entry: Entry, column: str) -> Iterator[Item]:
    """A column of strings is one of paths, as in a list; one of bytes holds the pictures themselves."""
    with place.open() as source:
        try:
            file = pq.ParquetFile(source)
        except (pa.ArrowInvalid, OSError) as error:
            raise BadSource(f"{place.address} is no Parquet file: {words(error)}") from error
        kind = column_type(file.schema_arrow, column)
        if kind is None:
            raise BadSource(f"{place.address} has no column {column}; it has {', '.join(file.schema_arrow.names)}")
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            batches = file.iter_batches(columns=[column])
            paths = (path for batch in batches for path in leaf(batch, column).to_pylist() if path)
            yield from _of_list(place, paths)
        elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            for row in range(file.metadata.num_rows):
                # So many digits that paths sort as rows do.
                yield Item(f"{place.address}#{row:010d}", CELL, place.address, row, -1, entry.version)
        else:
            raise BadSource(
                f"column {column} of {place.address} is of {kind}, must be strings (paths) or binary; "
                "a field of a struct is named column.field"
            )


def column_type(schema: pa.Schema, column: str) -> pa.DataType | None:
    """Of a column, or of a field within one of structs: `image.bytes`, as Hugging Face's datasets have it."""
    name, _, inner = column.partition(".")
    if name not in schema.names:
        return None
    kind = schema.field(name).type
    for part in inner.split(".") if inner else ():
        if not pa.types.is_struct(kind) or kind.get_field_index(part) < 0:
            return None
        kind = kind.field(part).type
    # As pandas writes its categories.
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def leaf(batch: pa.RecordBatch | pa.Table, column: str) -> pa.Array:
    """The values of such a column."""
    name, _, inner = column.partition(".")
    values = batch.column(name)
    for part in inner.split(".") if inner else ():
        values = pc.struct_field(values, part)
    return values


def _of_tar(place: Place, entry: Entry) -> Iterator[Item]:
    """The members of an uncompressed tar file that are pictures by their names."""
    with place.open() as source:
        buffered = io.BufferedReader(source, _TAR_BUFFER)
        try:
            with tarfile.open(fileobj=buffered, mode="r:") as archive:
                for member in archive:
                    name = PurePosixPath(member.name)
                    if member.isfile() and name.suffix.lower() in SUFFIXES and not any(map(is_hidden, name.parts)):
                        path = f"{place.address}/{printable(member.name.removeprefix('./'))}"
                        yield Item(path, MEMBER, place.address, member.offset_data, member.size, entry.version)
                # A header that is damaged ends the walk as the archive's end does, which is zeros or nothing.
                buffered.seek(archive.offset)
                if buffered.read(tarfile.BLOCKSIZE).strip(b"\0"):
                    raise BadSource(f"{place.address} is damaged at byte {archive.offset}: the rest cannot be listed")
        except tarfile.TarError as error:
            raise BadSource(f"{place.address} is no tar file that can be read: {error}") from error
