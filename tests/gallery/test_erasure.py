"""What is removed is gone from the files: no piece of an embedding, a picture or a name is left in them."""

import os
import random
from pathlib import Path

import numpy as np
import psycopg
import pytest

from face_gallery.opening import open_store
from face_gallery.records import NewFace
from face_gallery.sqlite import SqliteStore
from face_gallery.store import Enrolment
from tests.gallery.people import OTHERS, TRAINED, units

PEOPLE = 400
_PIECE = 8
"""Bytes that are looked for at a time: two values, which chance does not repeat."""


def pieces(data: bytes) -> set[bytes]:
    return {data[start : start + _PIECE] for start in range(0, len(data) - _PIECE, 60)}


def there(files: list[Path], wanted: set[bytes]) -> float:
    """What share of the pieces is in the files, at any place."""
    keys = np.sort(np.array([int.from_bytes(piece, "little") for piece in wanted], np.uint64))
    found: set[int] = set()
    for file in files:
        content = np.frombuffer(file.read_bytes() + bytes(2 * _PIECE), np.uint8)
        for offset in range(_PIECE):
            windows = content[offset : offset + (len(content) - offset) // _PIECE * _PIECE].view(np.uint64)
            places = np.searchsorted(keys, windows).clip(0, len(keys) - 1)
            found.update(windows[keys[places] == windows].tolist())
    return len(found) / len(keys)


def secrets(number: int) -> set[bytes]:
    """Of a person: pieces of the embeddings, the picture, and the name."""
    return {f"{number:06d}!!"[:_PIECE].encode(), *pieces(crop(number))} | {
        piece for row in (units(1, number)[0], units(1, -number - 1 + 2**31)[0]) for piece in pieces(row.tobytes())
    }


def crop(number: int) -> bytes:
    """As large as a face's picture, so that it takes several pages."""
    return random.Random(number).randbytes(30_000)


def fill(store) -> dict[int, int]:
    """One face each, in two indexes; the faces by person."""
    faces = {}
    for number in range(PEOPLE):
        new = NewFace(units(1, number)[0], crop(number), {"image": f"{number}.jpg"})
        ((faces[number],),) = store.enrol(
            [Enrolment("default", f"Somebody Called {number:06d}!!", {"n": number}, [new])], TRAINED
        )
    store.add_embeddings(OTHERS, {face: units(1, -number - 1 + 2**31)[0] for number, face in faces.items()})
    return faces


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_no_byte_stays_in_the_file_or_its_log(tmp_path, seed):
    path = tmp_path / "people.gallery"
    with open_store(path) as store, open_store(path) as other:
        faces = fill(store)
        # Where one page ends and the next begins a piece is in two.
        assert there(list(tmp_path.iterdir()), secrets(7)) > 0.98
        order = random.Random(seed).sample(range(PEOPLE), PEOPLE)
        removed: list[int] = []
        for turn, number in enumerate(order[:200]):
            # Others read and write meanwhile.
            assert other.people_by_id([1]) is not None
            if turn % 20 == 3:
                other.describe("default", f"Somebody Called {order[-1]:06d}!!", {"turn": f"#{turn:06d}#"})
            if turn % 4:
                store.remove("default", f"Somebody Called {number:06d}!!")
                removed.append(number)
            else:
                store.remove_faces([faces[number]])
        gone = {piece for number in removed for piece in secrets(number)}
        # What was known of somebody before.
        gone |= {f"#{turn:06d}#".encode() for turn in range(3, 183, 20)}
        kept = {piece for number in order[200:210] for piece in secrets(number)}
        files = list(tmp_path.iterdir())
        assert {file.name for file in files} <= {"people.gallery", "people.gallery-wal", "people.gallery-shm"}
        assert there(files, gone) == 0
        assert there(files, kept) > 0.98
        size = path.stat().st_size
        store.compact()
        assert path.stat().st_size < 0.7 * size
        assert there(list(tmp_path.iterdir()), gone) == 0
        assert there(list(tmp_path.iterdir()), kept) > 0.98


@pytest.mark.slow
def test_an_index_that_is_dropped_leaves_nothing(tmp_path):
    path = tmp_path / "people.gallery"
    with open_store(path) as store:
        fill(store)
        of_old = {piece for number in range(PEOPLE) for piece in pieces(units(1, number)[0].tobytes())}
        assert there([path], of_old) > 0
        store.activate(OTHERS.sha256)
        store.drop_index(TRAINED.sha256)
        assert there(list(tmp_path.iterdir()), of_old) == 0


@pytest.mark.slow
def test_postgres_keeps_no_byte_in_its_tables_once_compacted(postgres):
    """Its log, which it needs to come up again after a crash, is written over by the server in its time."""
    name = "erasure"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        folder = Path(connection.execute("SHOW data_directory").fetchone()[0]) / "base"
        (oid,) = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", (name,)).fetchone()
    with open_store(postgres.replace("/postgres?", f"/{name}?")) as store:
        fill(store)
        removed = random.Random(0).sample(range(PEOPLE), 150)
        for number in removed[:50]:
            store.remove("default", f"Somebody Called {number:06d}!!")
        for number in removed[50:]:
            store.remove("default", f"Somebody Called {number:06d}!!")
        store.compact()
        tables = [file for file in (folder / str(oid)).iterdir() if file.is_file()]
        gone = {piece for number in removed for piece in secrets(number)}
        kept = pieces(units(1, next(n for n in range(PEOPLE) if n not in removed))[0].tobytes())
        assert there(tables, gone) == 0
        # pgvector keeps the values as they are: found, so that the search above could have found something.
        assert there(tables, kept) > 0.95


def test_the_file_is_nobody_elses(tmp_path):
    path = tmp_path / "people.gallery"
    with open_store(path) as store:
        store.enrol([Enrolment("default", "Ada", None, [NewFace(units(1)[0])])], TRAINED)
        assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}


def test_what_somebody_removed_who_died_is_gone_once_it_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "people.gallery"
    with open_store(path) as store:
        fill(store)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(SqliteStore, "_erase", lambda _store: os._exit(0))
        open_store(path).remove("default", "Somebody Called 000007!!")
    assert os.waitpid(child, 0)[1] == 0
    assert there(list(tmp_path.iterdir()), secrets(7)) > 0.9, "in the log, or where it was"
    with open_store(path) as store:
        assert there(list(tmp_path.iterdir()), secrets(7)) == 0
        assert len(list(store.people())) == PEOPLE - 1
