"""A gallery in PostgreSQL with pgvector, for processes of many machines.

A search is the database's: exact as it stands, approximate once there is an HNSW index (Malkov and Yashunin 2016), see
`add_hnsw`. Needs the extra `postgres`, and a database in which the extension `vector` is or may be made.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector.psycopg import register_vector
from psycopg.conninfo import conninfo_to_dict

from face_client.forks import renew_in_children
from face_client.messages import EMBEDDING_SIZE
from face_gallery.errors import GalleryError, GalleryUnavailable, GalleryUnfit
from face_gallery.nearest import SLACK, Hit, nearest_people
from face_gallery.records import Filter
from face_gallery.store import SCHEMA, Cursor, Embeddings, SearchingStore

_CONNECT_S = 10
_SILENCE_MS = 10_000
"""So long a host may acknowledge nothing: TCP by itself waits a quarter of an hour for one that has vanished."""
_READERS_S = 60.0
_BUSY_S = 30
"""So long a writer waits for others."""

# Plain: an embedding that lies apart from its row takes a search four times as long. No statistics: the planner keeps
# samples of a column's values in a table of its own, out of which nobody would be removed.
_TABLES = f"""
CREATE EXTENSION IF NOT EXISTS vector;
CREATE SCHEMA face_gallery;
SET search_path TO face_gallery, public;
CREATE TABLE people (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, collection TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL, metadata JSONB NOT NULL, created DOUBLE PRECISION NOT NULL,
    UNIQUE (collection, name));
CREATE INDEX people_by_metadata ON people USING gin (metadata);
CREATE TABLE faces (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person BIGINT NOT NULL REFERENCES people,
    added DOUBLE PRECISION NOT NULL, details JSONB NOT NULL, crop BYTEA);
CREATE INDEX faces_of_a_person ON faces (person);
CREATE TABLE indexes (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, weights TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    random BOOLEAN NOT NULL, calibration JSONB);
CREATE TABLE embeddings (
    face BIGINT NOT NULL REFERENCES faces, network BIGINT NOT NULL REFERENCES indexes, change BIGINT NOT NULL,
    embedding VECTOR({EMBEDDING_SIZE}) NOT NULL);
ALTER TABLE embeddings ALTER COLUMN embedding SET STORAGE PLAIN, ALTER COLUMN embedding SET STATISTICS 0;
ALTER TABLE people ALTER COLUMN name SET STATISTICS 0, ALTER COLUMN metadata SET STATISTICS 0;
ALTER TABLE faces ALTER COLUMN details SET STATISTICS 0, ALTER COLUMN crop SET STATISTICS 0;
CREATE UNIQUE INDEX embeddings_of_a_face ON embeddings (face, network);
CREATE INDEX embeddings_by_change ON embeddings (network, change, face);
CREATE TABLE erased (face BIGINT NOT NULL, change BIGINT NOT NULL);
CREATE INDEX erased_by_change ON erased (change);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE counter (value BIGINT NOT NULL);
INSERT INTO counter VALUES (0);
INSERT INTO settings VALUES ('schema', '{SCHEMA}');
"""

_MAKING = 0x46414347
"""Of the advisory lock of whoever makes the tables."""


class PostgresStore(SearchingStore):
    """A gallery in the schema `face_gallery` of a database.

    address: `postgresql://user@host/database`, as libpq takes it; PGPASSWORD and `~/.pgpass` are libpq's too.
    Raises GalleryUnavailable where the database cannot be reached, GalleryUnfit where it cannot hold a gallery.
    """

    def __init__(self, address: str, *, create: bool = True) -> None:
        super().__init__()
        self.where = _without_password(address)
        self._address = address
        self._create = create
        self._connection: psycopg.Connection[Any] | None = None
        with self._lock, self._translated():
            self._open()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: the connection is the parent's. It is let go of without a word to the server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            _OF_PARENTS.append(connection)
        SearchingStore.__init__(self)

    def close(self) -> None:
        """End the connection. The store makes a new one when it is asked."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def compact(self) -> None:
        """Write the tables anew (VACUUM FULL), and make the server write all it holds. Others wait meanwhile.

        Raises GalleryUnavailable where somebody reads what was before for too long: it would be written too.
        """
        with self._lock, self._translated():
            connection = self._open()
            self._wait_for_readers(connection)
            for table in ("embeddings", "faces", "people", "erased"):
                connection.execute(f"VACUUM (FULL, ANALYZE) {table}")
            with suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute("CHECKPOINT")

    def _wait_for_readers(self, connection: psycopg.Connection[Any]) -> None:
        """Until nobody, nor the server's own housekeeping, may still see what was removed before now."""
        (now,) = connection.execute("SELECT pg_current_xact_id()::xid").fetchone() or (None,)
        deadline = time.monotonic() + _READERS_S
        while True:
            (readers,) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                "AND age(backend_xmin) >= age(%s::xid)",
                (now,),
            ).fetchone() or (0,)
            if not readers:
                return
            if time.monotonic() > deadline:
                raise GalleryUnavailable(f"{self.where} is read so long that it cannot be compacted now")
            time.sleep(0.05)

    def add_hnsw(self, weights: str, m: int = 16, ef_construction: int = 64) -> None:
        """m, ef_construction: pgvector's numbers."""
        with self._reading() as cursor:
            network = self._number(cursor, weights)
        with self._lock, self._translated():
            self._open().execute(
                f"CREATE INDEX IF NOT EXISTS embeddings_hnsw_{network} ON embeddings "
                "USING hnsw (embedding vector_cosine_ops) "
                f"WITH (m = {int(m)}, ef_construction = {int(ef_construction)}) "
                f"WHERE network = {network}"
            )
            # So that the planner knows how many there are, and takes it.
            self._open().execute("ANALYZE embeddings")

    def drop_hnsw(self, weights: str) -> None:
        with self._reading() as cursor:
            network = self._number(cursor, weights)
        with self._lock, self._translated():
            self._open().execute(f"DROP INDEX IF EXISTS embeddings_hnsw_{network}")

    def search(
        self,
        queries: Embeddings,
        weights: str,
        top: int,
        collections: Sequence[str] | None = None,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        """Exact until `add_hnsw`."""
        condition, values = self._condition(collections, where)
        found = []
        with self._reading() as cursor:
            network = self._number(cursor, weights)
            for query in queries:
                wanted = 2 * top + SLACK
                while True:
                    rows = self._nearest(cursor, query, network, wanted, condition, values)
                    faces, people, embeddings = zip(*rows) if rows else ((), (), ())
                    hits = nearest_people(query[np.newaxis], faces, people, self._from_column(embeddings), top)[0]
                    if len(hits) >= top or len(rows) < wanted:
                        break
                    wanted *= 8
                found.append(hits)
        return found

    def _nearest(
        self, cursor: Cursor, query: Embeddings, network: int, wanted: int, condition: str, values: Sequence[Any]
    ) -> list[tuple[int, int, NDArray[np.float32]]]:
        # An HNSW index gives 40 rows unless it is told otherwise; of those, filters leave some.
        cursor.execute(f"SET LOCAL hnsw.ef_search = {min(max(2 * wanted, 40), 1000)}")
        # The number itself: an index that is for one network alone is used only where the planner sees that it fits.
        nearest = f"WHERE network = {network}{{}} ORDER BY embedding <=> ? LIMIT ?"
        row = query.astype(np.float32)
        if condition:
            cursor.execute(
                "SELECT face, person, embedding FROM embeddings JOIN faces ON faces.id = face "
                f"JOIN people ON people.id = person {nearest.format(condition)}",
                (*values, row, wanted),
            )
        else:
            cursor.execute(
                f"SELECT face, person, embedding FROM (SELECT face, embedding FROM embeddings {nearest.format('')}) "
                "AS near JOIN faces ON faces.id = face",
                (row, wanted),
            )
        rows: list[tuple[int, int, NDArray[np.float32]]] = cursor.fetchall()
        return rows

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        connection = psycopg.connect(
            self._address,
            autocommit=True,
            connect_timeout=_CONNECT_S,
            tcp_user_timeout=_SILENCE_MS,
            # A host that vanishes while an answer is awaited is noticed by its silence.
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _prepare(self, connection: psycopg.Connection[Any]) -> None:
        if not self._is_there(connection):
            if not self._create:
                raise GalleryUnfit(f"{self.where} has no gallery; `faces gallery add` makes one")
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
                if not self._is_there(connection):
                    connection.execute(_TABLES)
        # Where the extension is: some who host databases have a schema for them.
        of_extension = connection.execute(
            "SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'vector'"
        ).fetchone()
        connection.execute(f"SET search_path TO face_gallery, {of_extension[0] if of_extension else 'public'}")
        # A client that vanishes while it writes must not hold all others up for ever.
        connection.execute(f"SET lock_timeout = '{_BUSY_S}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{2 * _BUSY_S}s'")
        found = connection.execute("SELECT value FROM settings WHERE key = 'schema'").fetchone()
        self._check_schema(int(found[0]) if found else 0)
        register_vector(connection)

    def _is_there(self, connection: psycopg.Connection[Any]) -> bool:
        found = connection.execute("SELECT to_regclass('face_gallery.counter')").fetchone()
        return found is not None and found[0] is not None

    @contextmanager
    def _reading(self) -> Iterator[Cursor]:
        with self._lock, self._translated():
            connection = self._open()
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                # Within what this thread writes: what it has written so far is seen.
                yield _Marks(connection.cursor(binary=True))
                return
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                yield _Marks(connection.cursor(binary=True))

    @contextmanager
    def _writing(self) -> Iterator[Cursor]:
        with self._lock, self._translated(), self._open().transaction():
            connection = self._open()
            connection.execute("SELECT value FROM counter FOR UPDATE")
            yield _Marks(connection.cursor(binary=True))

    def _erase(self) -> None:
        """The server overwrites nothing by itself: VACUUM gives the rows' room to the next ones. See `compact`."""
        with self._lock, self._translated():
            connection = self._open()
            for table in ("embeddings", "faces", "people"):
                connection.execute(f"VACUUM {table}")

    def _where(self, wanted: Filter) -> tuple[str, list[Any]]:
        return ("metadata @> ?::jsonb", [json.dumps(dict(wanted))]) if wanted else ("", [])

    def _each(self, cursor: Cursor, sql: str, rows: Iterable[Sequence[Any]]) -> list[int]:
        assert isinstance(cursor, _Marks)
        return cursor.each(sql, list(rows))

    def _to_column(self, embedding: Embeddings) -> Any:
        return np.ascontiguousarray(embedding, np.float32)

    def _from_column(self, values: Sequence[Any]) -> Embeddings:
        rows = [value.to_numpy() if hasattr(value, "to_numpy") else value for value in values]
        return np.array(rows, np.float32).reshape(len(rows), -1 if rows else EMBEDDING_SIZE)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._error(error) from error

    def _error(self, error: psycopg.Error) -> GalleryError:
        said = str(error).strip().partition("\n")[0]
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return GalleryUnfit(f"{self.where} does not let this user do it: {said}")
        if isinstance(error, (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile)):
            return GalleryUnfit(f"{self.where} has no pgvector: {said}")
        if isinstance(error, psycopg.DataError):
            return GalleryUnfit(f"{self.where} cannot hold this: {said}")
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return GalleryUnavailable(f"{self.where} is in use by others, and was not free within {_BUSY_S} s")
        if isinstance(error, psycopg.OperationalError):
            # Half open connections are of no more use.
            with suppress(psycopg.Error):
                self.close()
            return GalleryUnavailable(f"{self.where} cannot be reached: {said}")
        return GalleryUnavailable(f"{self.where} cannot be used: {said}")


class _Marks:
    """A cursor that takes `?` for values, as SQLite's does."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self._cursor.execute(sql.replace("?", "%s"), parameters)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(sql.replace("?", "%s"), rows)

    def each(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        """The one value that a statement gives for each row; all rows are sent before the first answer is awaited."""
        if not rows:
            return []
        self._cursor.executemany(sql.replace("?", "%s"), rows, returning=True)
        found = self._cursor.fetchall()
        while self._cursor.nextset():
            found += self._cursor.fetchall()
        return [row[0] for row in found]

    def fetchone(self) -> Any:
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()


_OF_PARENTS: list[psycopg.Connection[Any]] = []
"""Connections that a fork has brought along: to close one would end the parent's."""


def _without_password(address: str) -> str:
    """An address as it may be shown: user, hosts and database. Raises GalleryUnfit for one that libpq cannot read."""
    try:
        parts = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        parts = {"host": "@"}
    # A password with / or @ in it ends up in what is read as host or database.
    if any("@" in str(parts.get(name, "")) for name in ("host", "port", "dbname")):
        # Not in libpq's words: they repeat it.
        raise GalleryUnfit(
            "the address of the gallery is not like postgresql://user@host:5432/database; a password in it must have "
            "/, @ and % as %2F, %40 and %25"
        )
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host', '')}{port}/{parts.get('dbname', '')}"
