"""Model `face_names` on a real PostgreSQL: a database that goes away and comes back, and who searches."""

import json

import psycopg
import pytest

from face_gallery import open_store
from face_gallery.matrix import Matrix
from face_runtime.settings import GALLERY_VARIABLE
from tests.gallery.people import enrol
from tests.runtime.stand_in import LINES, METRICS, TritonError
from tests.runtime.test_naming import AWAY, FILE, INSTANCE, PEOPLE, answer, request

pytestmark = pytest.mark.slow


@pytest.fixture
def address(postgres, monkeypatch):
    """Of a gallery of p0 … p39."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS naming")
        connection.execute("CREATE DATABASE naming")
    address = postgres.replace("/postgres?", "/naming?")
    with open_store(address) as store:
        enrol(store, PEOPLE)
    monkeypatch.setenv(GALLERY_VARIABLE, address)
    return address


def instance(model, search="memory"):
    config = {"parameters": {"search": {"string_value": search}}}
    return model(FILE, model_config=json.dumps(config), **INSTANCE)


def test_while_the_database_is_away_callers_hear_so_and_then_names_again(model, address, postgres):
    naming = instance(model)
    face = request(PEOPLE[3:4])
    assert answer(naming.execute([face])[0])["names"] == [[b"p3"]]
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("ALTER DATABASE naming ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'naming'")
        # What it remembers would do for an answer, and somebody may have been removed meanwhile.
        for _ in range(3):
            refused = naming.execute([face])[0].error()
            assert refused.message() == AWAY
            assert refused.code() == TritonError.UNAVAILABLE
        connection.execute("ALTER DATABASE naming ALLOW_CONNECTIONS true")
    assert "cannot be reached: " in LINES[-2][1]
    assert METRICS["face_names_failed_requests_total", "gallery"] == [3]
    with open_store(address) as store:
        store.remove("default", "p3")
    found = answer(naming.execute([face])[0])
    assert found["names"] == [[b""]]
    naming.finalize()


@pytest.mark.usefixtures("address")
def test_a_server_starts_while_the_database_is_away(model, postgres):
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("ALTER DATABASE naming ALLOW_CONNECTIONS false")
        naming = instance(model)
        assert naming.execute([request(PEOPLE[3:4])])[0].error().code() == TritonError.UNAVAILABLE
        connection.execute("ALTER DATABASE naming ALLOW_CONNECTIONS true")
    assert answer(naming.execute([request(PEOPLE[3:4])])[0])["names"] == [[b"p3"]]
    naming.finalize()


@pytest.mark.usefixtures("address")
def test_the_database_searches_where_the_configuration_says_so(model, monkeypatch):
    by_memory, by_database = instance(model), instance(model, "database")
    faces = [request(PEOPLE[[3, 5]]), request(PEOPLE[7:8], top=1)]
    expected = [answer(response) for response in by_memory.execute(faces)]
    monkeypatch.setattr(Matrix, "search", lambda *_arguments: pytest.fail("not in memory"))
    for found, wanted in zip(map(answer, by_database.execute(faces)), expected, strict=True):
        assert found["names"] == wanted["names"]
        assert found["distances"] == [pytest.approx(each, abs=1e-6) for each in wanted["distances"]]
    for naming in (by_memory, by_database):
        naming.finalize()
