"""PostgreSQL's approximate searches: used where there is an index for them, and exact again without."""

import psycopg
import pytest

from face_command.main import main
from face_gallery.opening import open_store
from face_gallery.register import Register
from tests.gallery.people import OTHERS, TRAINED, enrol, near, units


@pytest.fixture
def address(postgres):
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS hnsw")
        connection.execute("CREATE DATABASE hnsw")
    return postgres.replace("/postgres?", "/hnsw?")


def plan(address) -> str:
    """How the database would search now."""
    with psycopg.connect(address, options="-c search_path=face_gallery,public") as connection:
        rows = connection.execute(
            "EXPLAIN SELECT face FROM embeddings WHERE network = 1 ORDER BY embedding <=> %s::vector LIMIT 30",
            (str(units(1)[0].tolist()),),
        ).fetchall()
    return "\n".join(row[0] for row in rows)


@pytest.mark.slow
def test_it_is_used_and_finds_who_is_there(address):
    people = units(3000)
    with open_store(address) as store:
        faces = enrol(store, people, metadata={"site": "A"})
        enrol(store, units(10, 1), [f"b{n}" for n in range(10)], metadata={"site": "B"})
        store.add_embeddings(OTHERS, dict(zip(faces[:50], units(50, 2), strict=True)))
        register = Register(store)
        queries = near(people[:40], 0.3)
        exact = register.find(queries, TRAINED)
        assert "hnsw" not in plan(address)
        store.add_hnsw(TRAINED.sha256)
        assert "embeddings_hnsw_1" in plan(address)
        found = register.find(queries, TRAINED)
        assert [each.candidates[0] for each in found] == [each.candidates[0] for each in exact]
        (chosen,) = register.find(units(10, 1)[3:4], TRAINED, where={"site": "B"})
        assert chosen.candidates[0].person == "b3"
        assert len(chosen.candidates) == 3
        (other,) = register.find(units(50, 2)[7:8], OTHERS)
        assert other.candidates[0].person == "p7", "another network's index is another"
        enrol(store, units(1, 77), ["late"])
        assert register.find(units(1, 77), TRAINED)[0].candidates[0].person == "late"
        register.remove("late", "default")
        assert register.find(units(1, 77), TRAINED)[0].candidates[0].person != "late"
        store.drop_hnsw(TRAINED.sha256)
        assert "hnsw" not in plan(address)
        assert register.find(queries, TRAINED) == exact


@pytest.mark.slow
def test_at_a_terminal(address, tmp_path, capsys):
    with open_store(address) as store:
        assert main(["gallery", "index", "--hnsw", "--store", address]) == 2
        enrol(store, units(3000))
        assert main(["gallery", "index", "--hnsw", "--store", address]) == 0
        assert "embeddings_hnsw_1" in plan(address)
        assert main(["gallery", "index", "--exact", "--store", address]) == 0
        assert "hnsw" not in plan(address)
    open_store(tmp_path / "a.gallery").close()
    assert main(["gallery", "index", "--exact", "--store", str(tmp_path / "a.gallery")]) == 2
    told = capsys.readouterr()
    assert [line.rpartition(" searches ")[2] for line in told.out.splitlines()] == [
        "by an HNSW index now",
        "exactly now",
    ]
    assert "nobody is enrolled in" in told.err
    assert "a.gallery is a file: it is searched in memory, exactly" in told.err
