"""A gallery in a file: SQLite of Python's standard library, for any number of threads and processes of one machine.

What is acknowledged is on the disk: a write-ahead log that is synchronised with every commit. What is deleted is
overwritten with zeros in the file (`secure_delete`), and the log is emptied at once.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from face_client.errors import InvalidInput
from face_client.forks import renew_in_children
from face_gallery.errors import GalleryError, GalleryUnavailable, GalleryUnfit
from face_gallery.records import Filter
from face_gallery.store import SCHEMA, Cursor, Embeddings, Store

_APPLICATION = 0x46414347
"""Of SQLite's `application_id`: by it our files are told from others."""

_PAGE_SIZE = 8192
"""Bytes: three embeddings. In SQLite's usual 4096 there is room for one, and half of the file is air."""

_BUSY_S = 30.0
"""So long a writer waits for others."""

_TABLES = """
CREATE TABLE people (
    id INTEGER PRIMARY KEY AUTOINCREMENT, collection TEXT NOT NULL, name TEXT NOT NULL, metadata TEXT NOT NULL,
    created REAL NOT NULL, UNIQUE (collection, name));
CREATE TABLE faces (
    id INTEGER PRIMARY KEY AUTOINCREMENT, person INTEGER NOT NULL REFERENCES people, added REAL NOT NULL,
    details TEXT NOT NULL, crop BLOB);
CREATE INDEX faces_of_a_person ON faces (person);
CREATE TABLE indexes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, weights TEXT NOT NULL UNIQUE, name TEXT NOT NULL, random INTEGER NOT NULL,
    calibration TEXT);
CREATE TABLE embeddings (
    face INTEGER NOT NULL REFERENCES faces, network INTEGER NOT NULL REFERENCES indexes, change INTEGER NOT NULL,
    embedding BLOB NOT NULL);
CREATE UNIQUE INDEX embeddings_of_a_face ON embeddings (face, network);
CREATE INDEX embeddings_by_change ON embeddings (network, change, face);
CREATE TABLE erased (face INTEGER NOT NULL, change INTEGER NOT NULL);
CREATE INDEX erased_by_change ON erased (change);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE counter (value INTEGER NOT NULL);
INSERT INTO counter VALUES (0);
"""


class SqliteStore(Store):
    """A gallery in a file.

    Raises GalleryUnfit for a file that is no gallery, of a newer version, or cannot be opened.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        super().__init__()
        self.where = str(path)
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        if sqlite3.sqlite_version_info < (3, 35):
            raise GalleryUnfit(f"SQLite is {sqlite3.sqlite_version} here; a gallery needs 3.35 or later")
        if not create and not path.is_file():
            raise GalleryUnfit(f"{path} is not there; `faces gallery add` makes a gallery")
        with self._lock, self._translated():
            self._open()
        renew_in_children(self)

    def renew(self) -> None:
        """In a forked process: SQLite's connections must not be taken along."""
        Store.__init__(self)
        self._connection = None

    def close(self) -> None:
        """Close the file. The store opens it again when it is asked."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def compact(self) -> None:
        """Write the file anew without what is empty in it. Raises GalleryUnavailable while others use it."""
        with self._lock, self._translated():
            self._open().execute("VACUUM")
        self._erase()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            # Whoever restores a backup, or deletes the gallery, puts another file in its place, or none.
            if self._connection.in_transaction or _identity(self._path) == self._file:
                return self._connection
            self._connection.close()
            self._connection = None
        if self._file is not None and not self._path.exists():
            raise GalleryUnavailable(f"{self.where} is not there any more")
        writable = not self._path.exists() or os.access(self._path, os.W_OK)
        address = f"{self._path.absolute().as_uri()}?{'mode=rwc' if writable else _read_only(self._path)}"
        if writable and self._path.parent.is_dir() and not self._path.exists():
            # Nobody else's: SQLite gives its log the rights of the file.
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(address, _BUSY_S, isolation_level=None, check_same_thread=False, uri=True)
        try:
            self._prepare(connection, writable)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        file = _identity(self._path)
        if self._file not in (None, file):
            self.generation += 1
        self._file = file
        return connection

    def _prepare(self, connection: sqlite3.Connection, writable: bool) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        if not writable:
            connection.execute("PRAGMA query_only = ON")
            self._check(connection)
            return
        if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            self._create(connection)
        self._check(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        # What somebody had removed who died before the log was empty; whoever is reading now is not waited for.
        connection.execute("PRAGMA busy_timeout = 0")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {1000 * _BUSY_S:.0f}")

    def _check(self, connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            raise GalleryUnfit(f"{self.where} is no gallery")
        self._check_schema(connection.execute("PRAGMA user_version").fetchone()[0])

    def _create(self, connection: sqlite3.Connection) -> None:
        """The tables, once, whoever else is about to make them."""
        connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _reading(self) -> Iterator[Cursor]:
        with self._lock, self._translated():
            connection = self._open()
            if connection.in_transaction:
                # Within what this thread writes: what it has written so far is seen.
                yield connection.cursor()
                return
            connection.execute("BEGIN")
            try:
                yield connection.cursor()
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[Cursor]:
        with self._lock, self._translated():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection.cursor()
                connection.execute("COMMIT")
            except BaseException:
                # SQLite may have taken everything back itself, as where the disk is full.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _erase(self) -> None:
        """Bring the log into the file and empty it, as soon as no reader needs it. Raises GalleryUnavailable."""
        deadline = time.monotonic() + _BUSY_S
        with self._lock, self._translated():
            while self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise GalleryUnavailable(
                        f"it is removed, but {self.where} was read so long that its log could not be emptied: run "
                        "`faces gallery compact`"
                    )
                time.sleep(0.01)

    def _where(self, wanted: Filter) -> tuple[str, list[Any]]:
        values: list[Any] = []
        for key, value in wanted.items():
            values += [f"$.{_quoted(key)}", value]
        return " AND ".join(["json_extract(metadata, ?) = ?"] * len(wanted)), values

    def _to_column(self, embedding: Embeddings) -> bytes:
        return np.ascontiguousarray(embedding, "<f4").tobytes()

    def _from_column(self, values: Sequence[Any]) -> Embeddings:
        return np.frombuffer(b"".join(values), "<f4").reshape(len(values), -1)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _error(self, error: sqlite3.Error) -> GalleryError:
        said = str(error)
        if "readonly" in said:
            return GalleryUnfit(f"{self.where} cannot be written: it is write-protected")
        if "not a database" in said or "malformed" in said:
            return GalleryUnfit(f"{self.where} is no gallery, or damaged ({said})")
        if "unable to open" in said:
            return GalleryUnfit(f"{self.where} cannot be opened: {_why_not(self._path)}")
        if "locked" in said or "busy" in said:
            return GalleryUnavailable(f"{self.where} is in use by others, and was not free within {_BUSY_S:g} s")
        if "full" in said:
            return GalleryUnavailable(f"{self.where} cannot be written: the disk is full")
        return GalleryUnavailable(f"{self.where} cannot be used: {said}")


def _identity(path: Path) -> tuple[int, int] | None:
    """Of a file, whatever it is called; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _read_only(path: Path) -> str:
    """How SQLite is to open a file that may not be written. Where nobody can, nothing has to be watched for changes."""
    is_frozen = hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY
    return "mode=ro&immutable=1" if is_frozen else "mode=ro"


def _why_not(path: Path) -> str:
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    return "no right to, or to write beside it"


def _quoted(key: str) -> str:
    """A key within SQLite's paths into JSON. Raises InvalidInput for one that has no place there."""
    if '"' in key:
        raise InvalidInput(f'the key {key!r} of a filter has a " in it, which SQLite cannot look for')
    return f'"{key}"'
