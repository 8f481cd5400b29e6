"""What both stores are: the tables, and the statements on them, in the SQL that SQLite and PostgreSQL share.

    people      somebody: name within a collection, metadata
    faces       of a person: where it comes from, and its picture if it is kept
    indexes     a network's weights; one index is active, and is enrolled into
    embeddings  of a face in an index; `change` is the counter's value when it came
    erased      which faces are gone, and since when: other processes take them out of their matrices
    settings    `schema`: the version of these tables; `active`; `erased_before`: erased has forgotten what was earlier
    counter     goes up with every change. Who writes holds its row, so that changes become visible in its order

A store is a way to that: it keeps no rows itself. One may be used by many threads, and many processes may have one of
the same gallery.
"""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from face_client.errors import UnfitWeights
from face_client.weights import Weights
from face_gallery.errors import EMBEDDED_BY, GalleryUnfit, UnknownPerson
from face_gallery.nearest import Hit
from face_gallery.records import (
    Filter,
    Index,
    Metadata,
    NewFace,
    Person,
    StoredFace,
    checked_collections,
    checked_embedding,
    checked_filter,
)

SCHEMA = 1
"""Version of the tables; a store refuses newer ones. There are no older ones yet: the first change of the tables brings
their migration."""

_PAGE = 4096
"""Rows that are read at a time: 8 MB of embeddings."""

_REMEMBERED = 100_000
"""Erased faces that are told to other processes; one that has missed more reads everything anew."""

_IN_A_STATEMENT = 500
"""Values in one statement."""

Embeddings = NDArray[np.float32]


class Cursor(Protocol):
    """As Python's database interface has it (PEP 249)."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Page(NamedTuple):
    """Rows of an index. faces, people: int64 [N], their ids. embeddings: float32 [N, D]."""

    faces: NDArray[np.int64]
    people: NDArray[np.int64]
    embeddings: Embeddings


class Enrolment(NamedTuple):
    """A person and faces to add to what there is. metadata: its keys are put to those that are known, in the place of
    equal ones. created: None: now."""

    collection: str
    name: str
    metadata: Metadata | None
    faces: Sequence[NewFace]
    created: float | None = None


class Store(ABC):
    """A gallery in a database. Close it, or use `with`."""

    where: str
    """Its path or address, without a password."""

    generation = 0
    """Another number once the store itself is another one than before: what was read of it is worth nothing."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    # What the two databases do in ways of their own.

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Cursor]:
        """A cursor; what is read through it is of one moment. Errors of the database become GalleryError."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Cursor]:
        """A cursor in a transaction of its own that has the counter's row: all of it happens, or nothing."""

    @abstractmethod
    def _erase(self) -> None:
        """After rows were deleted: no byte of them stays where this process can see to it."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def compact(self) -> None:
        """Give room of what was deleted back to the file system, and leave no byte of it. Takes as long as a copy."""

    @abstractmethod
    def _where(self, wanted: Filter) -> tuple[str, list[Any]]:
        """A condition on `people.metadata`, with its parameters; empty for none."""

    @abstractmethod
    def _to_column(self, embedding: Embeddings) -> Any: ...

    @abstractmethod
    def _from_column(self, values: Sequence[Any]) -> Embeddings:
        """float32 [N, D]"""

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # People

    def enrol(self, enrolments: Iterable[Enrolment], weights: Weights) -> list[list[int]]:
        """Add people and faces, all of them or none; the ids of each one's new faces. The embeddings are of `weights`.

        Whoever is there already gets more faces. Raises UnfitWeights where another index is the active one.
        """
        with self._writing() as cursor:
            change = self._next(cursor)
            network = self._take_index(cursor, weights)
            faces: list[list[int]] = []
            for share in _shares(enrolments, _IN_A_STATEMENT):
                faces += self._add(cursor, share, network, change)
            return faces

    def _take_index(self, cursor: Cursor, weights: Weights) -> int:
        """The number of the active index, which must be that of these weights."""
        active = self._setting(cursor, "active")
        if active is None:
            self._set(cursor, "active", weights.sha256)
        elif active != weights.sha256:
            cursor.execute("SELECT name FROM indexes WHERE weights = ?", (active,))
            raise UnfitWeights(
                f"{EMBEDDED_BY} {cursor.fetchone()[0]} ({active[:12]}), and these by "
                f"{weights.name} ({weights.sha256[:12]}): run `faces gallery reindex --activate` first"
            )
        return self._new_index(cursor, weights)

    def _add(self, cursor: Cursor, share: Sequence[Enrolment], network: int, change: int) -> list[list[int]]:
        now = time.time()
        keys = [(each.collection, each.name) for each in share]
        about = [json.dumps(dict(each.metadata or {})) for each in share]
        cursor.executemany(
            "INSERT INTO people (collection, name, metadata, created) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [(*key, told, each.created or now) for key, told, each in zip(keys, about, share)],
        )
        people = self._each(cursor, "SELECT id FROM people WHERE collection = ? AND name = ?", keys)
        for person, each in zip(people, share):
            if each.metadata:
                self._tell(cursor, person, each.metadata)
        owned = [(person, face) for person, each in zip(people, share) for face in each.faces]
        faces = self._each(
            cursor,
            "INSERT INTO faces (person, added, details, crop) VALUES (?, ?, ?, ?) RETURNING id",
            [(person, face.added or now, json.dumps(dict(face.details)), face.crop) for person, face in owned],
        )
        self._embed(cursor, network, change, [(face, each.embedding) for face, (_, each) in zip(faces, owned)])
        numbers = iter(faces)
        return [[next(numbers) for _ in each.faces] for each in share]

    def _tell(self, cursor: Cursor, person: int, metadata: Metadata) -> None:
        """Put these keys to a person's metadata."""
        cursor.execute("SELECT metadata FROM people WHERE id = ?", (person,))
        known = _parsed(cursor.fetchone()[0])
        told = json.dumps({**known, **metadata})
        if told != json.dumps(known):
            cursor.execute("UPDATE people SET metadata = ? WHERE id = ?", (told, person))

    def _embed(self, cursor: Cursor, network: int, change: int, rows: Iterable[tuple[int, Embeddings]]) -> None:
        cursor.executemany(
            "INSERT INTO embeddings (face, network, change, embedding) VALUES (?, ?, ?, ?)",
            [(face, network, change, self._to_column(checked_embedding(embedding))) for face, embedding in rows],
        )

    def _each(self, cursor: Cursor, sql: str, rows: Iterable[Sequence[Any]]) -> list[int]:
        """The one value that a statement gives for each of these rows."""
        found = []
        for row in rows:
            cursor.execute(sql, row)
            found.append(cursor.fetchone()[0])
        return found

    def remove(self, collection: str, name: str) -> int:
        """Erase a person and all that is known of them; how many faces that were. Raises UnknownPerson."""
        person = self.person(collection, name).id
        with self._writing() as cursor:
            cursor.execute("SELECT id FROM faces WHERE person = ?", (person,))
            faces = [row[0] for row in cursor.fetchall()]
            self._remove_faces(cursor, faces)
            cursor.execute("DELETE FROM people WHERE id = ?", (person,))
        self._erase()
        return len(faces)

    def remove_faces(self, faces: Sequence[int]) -> None:
        """Erase single faces; their people stay. Ids of none that is there are no error."""
        with self._writing() as cursor:
            # An id that is yet to come shall not be taken for gone.
            self._remove_faces(cursor, [face for face in faces if self._has_face(cursor, face)])
        self._erase()

    def _remove_faces(self, cursor: Cursor, faces: Sequence[int]) -> None:
        change = self._next(cursor)
        rows = [(face,) for face in faces]
        cursor.executemany("DELETE FROM embeddings WHERE face = ?", rows)
        cursor.executemany("DELETE FROM faces WHERE id = ?", rows)
        cursor.executemany("INSERT INTO erased (face, change) VALUES (?, ?)", [(face, change) for face in faces])
        cursor.execute("SELECT change FROM erased ORDER BY change DESC LIMIT 1 OFFSET ?", (_REMEMBERED,))
        too_old = cursor.fetchone()
        if too_old is not None:
            cursor.execute("DELETE FROM erased WHERE change <= ?", too_old)
            self._set(cursor, "erased_before", str(too_old[0]))

    def _has_face(self, cursor: Cursor, face: int) -> bool:
        cursor.execute("SELECT 1 FROM faces WHERE id = ?", (face,))
        return cursor.fetchone() is not None

    def tell(self, collection: str, name: str, metadata: Metadata) -> None:
        """Put these keys to a person's metadata, in the place of equal ones. Raises UnknownPerson."""
        person = self.person(collection, name).id
        with self._writing() as cursor:
            self._next(cursor)
            self._tell(cursor, person, metadata)
        self._erase()

    def describe(self, collection: str, name: str, metadata: Metadata) -> None:
        """Give a person other metadata. Raises UnknownPerson."""
        person = self.person(collection, name).id
        with self._writing() as cursor:
            self._next(cursor)
            cursor.execute("UPDATE people SET metadata = ? WHERE id = ?", (json.dumps(dict(metadata)), person))
        self._erase()

    def person(self, collection: str, name: str) -> Person:
        """Raises UnknownPerson."""
        with self._reading() as cursor:
            found = self._people(cursor, "WHERE collection = ? AND name = ?", (collection, name))
        if not found:
            raise UnknownPerson(f"nobody is enrolled as {name!r} in collection {collection!r}")
        return found[0]

    def people(self, collections: Sequence[str] | None = None, where: Filter | None = None) -> Iterator[Person]:
        """By collection and name. collections: None: of all."""
        condition, values = self._condition(collections, where)
        after: tuple[str, str] = ("", "")
        while True:
            with self._reading() as cursor:
                page = self._people(
                    cursor,
                    f"WHERE (collection, name) > (?, ?) {condition} ORDER BY collection, name LIMIT {_PAGE}",
                    (*after, *values),
                )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].collection, page[-1].name

    def people_by_id(self, ids: Iterable[int]) -> dict[int, Person]:
        """Those of them that are still there."""
        with self._reading() as cursor:
            found = (self._people(cursor, f"WHERE {among}", share) for among, share in _among(ids))
            return {person.id: person for people in found for person in people}

    def ids(self, collections: Sequence[str] | None = None, where: Filter | None = None) -> NDArray[np.int64]:
        """The ids of people, ascending: int64 [N]."""
        condition, values = self._condition(collections, where)
        with self._reading() as cursor:
            cursor.execute(f"SELECT id FROM people WHERE 1 = 1 {condition} ORDER BY id", values)
            return np.array([row[0] for row in cursor.fetchall()], np.int64)

    def collections(self) -> dict[str, int]:
        """How many people each has."""
        with self._reading() as cursor:
            cursor.execute("SELECT collection, count(*) FROM people GROUP BY collection ORDER BY collection")
            return dict(cursor.fetchall())

    def _condition(self, collections: Sequence[str] | None, where: Filter | None) -> tuple[str, list[Any]]:
        """With AND before it."""
        condition, values = self._where(checked_filter(where or {}))
        parts = [condition] if condition else []
        if collections is not None:
            collections = checked_collections(collections)
            parts.insert(0, f"collection IN ({', '.join('?' * len(collections))})" if collections else "1 = 0")
            values = [*collections, *values]
        return "".join(f" AND {part}" for part in parts), values

    def _people(self, cursor: Cursor, condition: str, values: Sequence[Any]) -> list[Person]:
        cursor.execute(
            "SELECT id, name, collection, metadata, created, "
            f"(SELECT count(*) FROM faces WHERE person = people.id) FROM people {condition}",
            values,
        )
        return [
            Person(number, name, collection, _parsed(metadata), faces, created)
            for number, name, collection, metadata, created, faces in cursor.fetchall()
        ]

    # Faces and their embeddings

    def faces(self, weights: str | None = None, person: int | None = None) -> Iterator[StoredFace]:
        """All faces, or those of a person, in the order of their ids. weights: the index whose embeddings come too."""
        after = 0
        while True:
            with self._reading() as cursor:
                cursor.execute(
                    "SELECT id, person, added, details, crop, embedding FROM faces LEFT JOIN embeddings "
                    "ON embeddings.face = faces.id AND network = ? WHERE id > ? "
                    f"{'' if person is None else 'AND person = ?'} ORDER BY id LIMIT 256",
                    (self._number(cursor, weights or ""), after, *([] if person is None else [person])),
                )
                page = cursor.fetchall()
            for number, owner, added, details, crop, embedding in page:
                vector = None if embedding is None else self._from_column([embedding])[0]
                picture = None if crop is None else bytes(crop)
                yield StoredFace(number, owner, added, _parsed(details), picture, vector)
            if not page:
                return
            after = page[-1][0]

    def details(self, collection: str) -> Iterator[tuple[str, Metadata]]:
        """Of every face of a collection: whose it is, and where it comes from."""
        after = 0
        while True:
            with self._reading() as cursor:
                cursor.execute(
                    "SELECT faces.id, name, details FROM faces JOIN people ON people.id = person "
                    f"WHERE collection = ? AND faces.id > ? ORDER BY faces.id LIMIT {_PAGE}",
                    (collection, after),
                )
                page = cursor.fetchall()
            for _, name, details in page:
                yield name, _parsed(details)
            if not page:
                return
            after = page[-1][0]

    def crops(self, faces: Iterable[int]) -> dict[int, bytes]:
        """The pictures of those of them that are there and have one."""
        found: dict[int, bytes] = {}
        with self._reading() as cursor:
            for among, share in _among(faces):
                cursor.execute(f"SELECT id, crop FROM faces WHERE crop IS NOT NULL AND {among}", share)
                found.update({number: bytes(crop) for number, crop in cursor.fetchall()})
        return found

    def counter(self) -> int:
        """Goes up with every change."""
        with self._reading() as cursor:
            cursor.execute("SELECT value FROM counter")
            return int(cursor.fetchone()[0])

    def came(self, weights: str, after: int, upto: int) -> Iterator[Page]:
        """What came into an index with the changes after `after`, to `upto`, and is still there."""
        change, face = after + 1, 0
        while True:
            with self._reading() as cursor:
                # In the order of an index: whatever happens meanwhile, no row is passed over or comes twice.
                cursor.execute(
                    "SELECT change, face, person, embedding FROM embeddings JOIN faces ON faces.id = face "
                    "WHERE network = ? AND (change, face) > (?, ?) AND change <= ? "
                    f"ORDER BY change, face LIMIT {_PAGE}",
                    (self._number(cursor, weights), change, face, upto),
                )
                rows = cursor.fetchall()
            if not rows:
                return
            _, faces, people, embeddings = zip(*rows)
            yield Page(np.array(faces, np.int64), np.array(people, np.int64), self._from_column(embeddings))
            change, face = rows[-1][:2]

    def went(self, after: int, upto: int) -> NDArray[np.int64] | None:
        """The faces that went with these changes; None where that is no longer known."""
        with self._reading() as cursor:
            if after < int(self._setting(cursor, "erased_before") or 0):
                return None
            cursor.execute("SELECT face FROM erased WHERE change > ? AND change <= ?", (after, upto))
            return np.array([row[0] for row in cursor.fetchall()], np.int64)

    # Indexes

    def indexes(self, counted: bool = True) -> list[Index]:
        """The active one first, then in the order in which they were made.

        counted: with the number of their faces, which takes a look at all of them.
        """
        count = "(SELECT count(*) FROM embeddings WHERE network = number)" if counted else "NULL"
        with self._reading() as cursor:
            active = self._setting(cursor, "active")
            cursor.execute(f"SELECT weights, name, random, calibration, {count} FROM indexes ORDER BY number")
            rows = cursor.fetchall()
        found = [
            Index(Weights(name, sha256, bool(random)), faces, sha256 == active, told and _parsed(told))
            for sha256, name, random, told, faces in rows
        ]
        return sorted(found, key=lambda index: not index.is_active)

    def active_index(self) -> Index | None:
        """The one that is enrolled into, its faces not counted; None where nobody ever was enrolled."""
        return next((index for index in self.indexes(counted=False) if index.is_active), None)

    def index_number(self, weights: str) -> int | None:
        """Of an index; None where there is none. One that is dropped and made again has another."""
        with self._reading() as cursor:
            return self._number(cursor, weights) or None

    def lacking(self, weights: str) -> NDArray[np.int64]:
        """Whose faces have no embedding in an index, or are in none of that name: the ids of the people, one a face."""
        with self._reading() as cursor:
            cursor.execute(
                "SELECT person FROM faces WHERE NOT EXISTS "
                "(SELECT 1 FROM embeddings WHERE face = faces.id AND network = ?) ORDER BY id",
                (self._number(cursor, weights),),
            )
            return np.array([row[0] for row in cursor.fetchall()], np.int64)

    def add_embeddings(self, weights: Weights, embeddings: Mapping[int, Embeddings]) -> None:
        """Put faces that are enrolled into an index too, which is made where there is none. Faces that have gone
        meanwhile are left out, and those that are in it already."""
        with self._writing() as cursor:
            change = self._next(cursor)
            network = self._new_index(cursor, weights)
            wanted = []
            for face, embedding in embeddings.items():
                cursor.execute(
                    "SELECT 1 FROM faces WHERE id = ? AND NOT EXISTS "
                    "(SELECT 1 FROM embeddings WHERE face = ? AND network = ?)",
                    (face, face, network),
                )
                if cursor.fetchone() is not None:
                    wanted.append((face, embedding))
            self._embed(cursor, network, change, wanted)

    def activate(self, weights: str) -> None:
        """Enrol into another index from now on. Raises GalleryUnfit where there is none."""
        with self._writing() as cursor:
            self._next(cursor)
            self._check_index(cursor, weights)
            self._set(cursor, "active", weights)

    def drop_index(self, weights: str) -> None:
        """Erase the embeddings of a network. Raises GalleryUnfit for the active index, or where there is none."""
        with self._writing() as cursor:
            self._check_index(cursor, weights)
            if self._setting(cursor, "active") == weights:
                raise GalleryUnfit("the active index cannot be dropped; activate another one first")
            self._next(cursor)
            cursor.execute("DELETE FROM embeddings WHERE network = ?", (self._number(cursor, weights),))
            cursor.execute("DELETE FROM indexes WHERE weights = ?", (weights,))
        self._erase()

    def calibrate(self, weights: str, calibration: Metadata | None) -> None:
        """Keep what was measured with an index. Raises GalleryUnfit where there is none."""
        with self._writing() as cursor:
            self._next(cursor)
            self._check_index(cursor, weights)
            told = None if calibration is None else json.dumps(dict(calibration))
            cursor.execute("UPDATE indexes SET calibration = ? WHERE weights = ?", (told, weights))

    def _check_index(self, cursor: Cursor, weights: str) -> None:
        if not self._number(cursor, weights):
            raise GalleryUnfit(f"this gallery has no index of the weights {weights[:12]}")

    def _number(self, cursor: Cursor, weights: str) -> int:
        """Of an index; 0, which none has, where there is none."""
        cursor.execute("SELECT number FROM indexes WHERE weights = ?", (weights,))
        row = cursor.fetchone()
        return 0 if row is None else int(row[0])

    def _new_index(self, cursor: Cursor, weights: Weights) -> int:
        """The number of an index, which is made where there is none."""
        cursor.execute(
            "INSERT INTO indexes (weights, name, random) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (weights.sha256, weights.name, weights.random),
        )
        return self._number(cursor, weights.sha256)

    # Settings and the counter

    def _next(self, cursor: Cursor) -> int:
        cursor.execute("UPDATE counter SET value = value + 1 RETURNING value")
        return int(cursor.fetchone()[0])

    def _setting(self, cursor: Cursor, key: str) -> str | None:
        cursor.execute("SELECT value FROM settings WHERE key = ?", (key,))
        row = cursor.fetchone()
        return None if row is None else str(row[0])

    def _set(self, cursor: Cursor, key: str, value: str) -> None:
        cursor.execute(
            "INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    def _check_schema(self, found: int) -> None:
        """Raises GalleryUnfit for tables of a newer version."""
        if found > SCHEMA:
            raise GalleryUnfit(
                f"{self.where} is a gallery of version {found}, and this program knows them to version {SCHEMA}: "
                "use a newer one"
            )


class SearchingStore(Store):
    """A store whose database searches itself."""

    @abstractmethod
    def search(
        self,
        queries: Embeddings,
        weights: str,
        top: int,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        """As `Matrix.search`, among the people of these collections and with this metadata; exact unless the database
        has an approximate index."""

    @abstractmethod
    def add_hnsw(self, weights: str) -> None:
        """Make searches in an index approximate and fast (Malkov and Yashunin 2016). It takes minutes for a million
        faces, and none can be enrolled meanwhile."""

    @abstractmethod
    def drop_hnsw(self, weights: str) -> None:
        """Make searches in an index exact again."""


Thing = TypeVar("Thing")


def _shares(things: Iterable[Thing], count: int) -> Iterator[list[Thing]]:
    iterator = iter(things)
    while share := list(islice(iterator, count)):
        yield share


def _among(ids: Iterable[int]) -> Iterator[tuple[str, list[int]]]:
    """A condition on `id` and its values, for as many of them as one statement takes; each id once."""
    for share in _shares(dict.fromkeys(int(number) for number in ids), _IN_A_STATEMENT):
        yield f"id IN ({', '.join('?' * len(share))})", share


def _parsed(document: Any) -> dict[str, Any]:
    """JSON, which a driver may have read already."""
    read: dict[str, Any] = json.loads(document) if isinstance(document, (str, bytes)) else document
    return read
