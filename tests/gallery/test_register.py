"""Who a face is: in memory and in the database, as a plain search says it."""

import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from face_client.errors import InvalidInput, UnfitWeights
from face_client.similarity import SAME_DISTANCE
from face_gallery import rows as rows_module
from face_gallery.errors import GalleryUnavailable, UnknownPerson
from face_gallery.nearest import nearest_people
from face_gallery.opening import open_store
from face_gallery.register import Register
from tests.gallery.people import OTHERS, TRAINED, UNTRAINED, enrol, faces_of, near, units


def plain(queries: np.ndarray, people: list[int], rows: np.ndarray, top: int) -> list[list[int]]:
    """The people, by NumPy's own sort of all cosines."""
    found = []
    for query in queries:
        order = np.argsort(-(rows.astype(np.float64) @ query.astype(np.float64)), kind="stable")
        found.append(list(dict.fromkeys(people[number] for number in order))[:top])
    return found


@pytest.fixture(params=["memory", "torch", "auto"])
def register(request, store):
    """In memory, with NumPy and with torch, and as the store would have it: PostgreSQL by itself."""
    if request.param == "torch":
        return Register(store, search="memory", device="cpu")
    return Register(store, search=request.param)


def names(register: Register, queries: np.ndarray, top: int = 3, **chosen) -> list[list[str]]:
    found = register.find(queries, TRAINED, top=top, **chosen)
    return [[candidate.person for candidate in each.candidates] for each in found]


def test_the_order_is_that_of_a_plain_search(register, monkeypatch):
    monkeypatch.setattr(rows_module, "BLOCK", 37)
    rows = near(np.repeat(units(60), 5, axis=0), 0.8)
    people = [number // 5 for number in range(300)]
    enrol(register.store, rows, [f"p{number}" for number in people])
    queries = np.concatenate([rows[:20], near(units(60), 0.5, 3)[:20], units(20, 7)])
    wanted = [[f"p{person}" for person in order] for order in plain(queries, people, rows, 10)]
    assert names(register, queries, 10) == wanted
    assert [names(register, query[np.newaxis], 10)[0] for query in queries] == wanted, "batched equals single"
    for of_face, query in zip(register.find(queries, TRAINED), queries, strict=True):
        cosine = max(float(row @ query.astype(np.float64)) for row in rows.astype(np.float64))
        assert of_face.candidates[0].cosine == pytest.approx(cosine, abs=1e-6)
        assert of_face.candidates[0].distance == pytest.approx(np.sqrt(max(0, 2 - 2 * cosine)), abs=1e-3)
        first, second = of_face.candidates[:2]
        assert of_face.margin == pytest.approx(second.distance - first.distance)


def test_somebody_with_more_faces_than_are_looked_at_hides_nobody(register):
    one, other = units(2)
    rows = np.concatenate([near(np.tile(one, (400, 1)), 0.3), near(other[np.newaxis], 0.1), units(5, 4)])
    enrol(register.store, rows, ["one"] * 400 + ["other"] + [f"p{number}" for number in range(5)])
    wanted = plain(one[np.newaxis], [*[0] * 400, *range(1, 7)], rows, 7)[0]
    known = ["one", "other", "p0", "p1", "p2", "p3", "p4"]
    assert names(register, one[np.newaxis], 7) == [[known[person] for person in wanted]]
    assert names(register, one[np.newaxis], 50)[0] == [known[person] for person in wanted], "there are no more"


def test_what_is_chosen_alone_is_searched(register):
    rows = units(6)
    enrol(register.store, rows[:2], ["a", "b"], metadata={"site": 1})
    enrol(register.store, rows[2:4], ["c", "d"], metadata={"site": 2})
    enrol(register.store, rows[4:], ["a", "b"], collection="guests", metadata={"site": 1})
    assert [found[0] for found in names(register, rows[2:4])] == ["c", "d"]
    assert set(names(register, rows[2:3], 9, where={"site": 1})[0]) == {"a", "b"}
    assert len(names(register, rows[2:3], 9, where={"site": 1})[0]) == 4
    assert names(register, rows[2:3], 9, collections=["guests"], where={"site": 2}) == [[]]
    (found,) = register.find(rows[4:5], TRAINED, collections=["guests"])
    assert (found.candidates[0].person, found.candidates[0].collection) == ("a", "guests")
    assert names(register, rows[:1], collections=[]) == [[]]


def test_unknown_people_are_unknown(register):
    rows = units(5)
    enrol(register.store, rows)
    known, unknown = register.identify(faces_of(np.stack([near(rows[3:4], 0.2)[0], units(1, 9)[0]])))
    assert (known.person, known.match.metadata) == ("p3", {})
    assert known.margin > 0.5
    assert unknown.person is None is unknown.match
    assert unknown.distance > SAME_DISTANCE
    assert unknown.threshold.to_dict() == {"distance": SAME_DISTANCE, "source": "literature"}
    document = unknown.to_dict()
    assert document["person"] is None
    assert len(document["candidates"]) == 3
    assert "embedding" not in document


def test_an_empty_gallery_knows_nobody(register):
    (found,) = register.identify(faces_of(units(1)))
    assert (found.person, found.distance, found.margin, found.candidates) == (None, None, None, [])
    assert register.identify(faces_of(units(0))) == []
    enrol(register.store, units(1))
    (found,) = register.identify(faces_of(units(1)))
    assert (found.person, found.margin) == ("p0", None), "nobody else is there"


def test_the_threshold_is_the_callers_or_the_calibrated_one(register):
    enrol(register.store, units(2))
    register.store.calibrate(
        TRAINED.sha256, {"distance": 0.8, "false_match_rate": 0.001, "interval": [0.0005, 0.002], "people": 2}
    )
    query = faces_of(near(units(2)[:1], 1.3))
    (found,) = register.identify(query)
    assert 0.8 < found.distance < SAME_DISTANCE
    assert found.person is None
    assert found.threshold.to_dict() == {
        "distance": 0.8,
        "source": "calibrated",
        "false_match_rate": 0.001,
        "interval": [0.0005, 0.002],
        "people": 2,
    }
    (found,) = register.identify(query, threshold=1.0)
    assert (found.person, found.threshold.source) == ("p0", "given")
    with pytest.raises(InvalidInput, match="threshold is nan"):
        register.identify(query, threshold=float("nan"))


def test_verification(register):
    rows = units(2)
    enrol(register.store, np.stack([rows[0], near(rows[:1], 0.5)[0], rows[1]]), ["Ada", "Ada", "Bo"])
    right = register.verify(near(rows[:1], 0.3, 2)[0], TRAINED, "Ada", "default")
    assert right.same
    assert not register.verify(rows[1], TRAINED, "Ada", "default").same
    with pytest.raises(UnknownPerson):
        register.verify(rows[1], TRAINED, "Cy", "default")


def test_embeddings_of_another_network_are_never_compared(register):
    enrol(register.store, units(2))
    with pytest.raises(UnfitWeights, match=r"embedded by trained\.pt .* FaceNet is now others\.pt"):
        register.identify(faces_of(units(1), OTHERS))
    with pytest.raises(UnfitWeights):
        register.verify(units(1)[0], OTHERS, "p0", "default")
    with pytest.raises(UnfitWeights, match="random weights"):
        register.identify(faces_of(units(1), UNTRAINED))
    with pytest.raises(InvalidInput, match="no embeddings"):
        register.identify(faces_of(units(1), None))


def test_how_many_faces_there_are(register):
    assert register.size == 0
    enrol(register.store, units(4))
    register.find(units(1), TRAINED)
    assert register.size == 4
    register.remove("p1", "default")
    register.find(units(1), TRAINED)
    assert register.size == 3


def test_two_indexes_stand_beside_one_another(register):
    faces = enrol(register.store, units(4))
    register.store.add_embeddings(OTHERS, dict(zip(faces, units(4, 1), strict=True)))
    (old,), (new,) = register.find(units(4)[2:3], TRAINED), register.find(units(4, 1)[2:3], OTHERS)
    assert old.candidates[0].person == new.candidates[0].person == "p2"
    register.store.activate(OTHERS.sha256)
    register.store.drop_index(TRAINED.sha256)
    with pytest.raises(UnfitWeights):
        register.find(units(1), TRAINED)


def test_a_matrix_follows_what_others_do(where, store, monkeypatch):
    """Random adding and removing through another connection; the matrix is what a new one would be."""
    monkeypatch.setattr(rows_module, "BLOCK", 16)
    monkeypatch.setattr("face_gallery.store._PAGE", 5)
    monkeypatch.setattr("face_gallery.store._REMEMBERED", 8)
    random = np.random.default_rng(0)
    register = Register(store, search="memory")
    there: list[str] = []
    with open_store(where) as other:
        for turn in range(60):
            count = int(random.integers(0, 12))
            if random.random() < 0.5:
                new = [f"{turn}-{number}" for number in range(count)]
                enrol(other, units(count, turn), new)
                there += new
            else:
                for _ in range(min(count, len(there))):
                    other.remove("default", there.pop(int(random.integers(len(there)))))
            if turn % 3 == 0:
                found = register.matrix(TRAINED.sha256)
                assert len(found) == len(there)
                fresh = Register(store, search="memory")
                queries = units(3, 1000 + turn)
                if there:
                    assert names(register, queries, 5) == names(fresh, queries, 5)


def test_a_search_looks_once_whether_anything_has_changed(register, monkeypatch):
    enrol(register.store, units(3))
    looks = []
    counter = register.store.counter
    monkeypatch.setattr(register.store, "counter", lambda: looks.append(1) or counter())
    register.find(units(3), TRAINED)
    assert len(looks) == 1


def test_a_matrix_that_was_read_halfway_is_read_anew(store, monkeypatch):
    """What it had would come again."""
    monkeypatch.setattr("face_gallery.store._PAGE", 2)
    enrol(store, units(6))
    register = Register(store, search="memory")
    pages = store.came(TRAINED.sha256, 0, store.counter())

    def came(*_arguments):
        yield next(pages)
        raise GalleryUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "came", came)
        with pytest.raises(GalleryUnavailable):
            register.find(units(1), TRAINED)
    assert len(register.matrix(TRAINED.sha256)) == 6


def test_an_earlier_copy_in_the_place_of_a_store(tmp_path):
    path = tmp_path / "a.gallery"
    with open_store(path) as store:
        enrol(store, units(2))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "copy")) as copy:
            source.backup(copy)
        enrol(store, units(3, 5), ["x", "y", "z"])
        enrol(store, units(1, 6), ["w"])
        register = Register(store)
        assert register.find(units(3, 5)[:1], TRAINED)[0].candidates[0].person == "x"
        store.close()
        path.write_bytes((tmp_path / "copy").read_bytes())
        enrol(store, units(1, 8), ["new"])
        found = register.find(units(3, 5)[:1], TRAINED)[0].candidates
        assert [each.person for each in found if each.distance < 0.5] == []
        assert register.find(units(1, 8), TRAINED)[0].candidates[0].person == "new"


def test_another_file_in_the_place_of_a_gallery(tmp_path):
    path = tmp_path / "a.gallery"
    with open_store(path) as store:
        enrol(store, units(3))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "copy")) as copy:
            source.backup(copy)
        register = Register(store)
        assert register.find(units(3)[2:], TRAINED)[0].candidates[0].person == "p2"
        path.rename(tmp_path / "old")
        with pytest.raises(GalleryUnavailable, match=r"a\.gallery is not there any more"):
            register.find(units(1), TRAINED)
        assert not path.exists(), "nobody wants an empty one in its place"
        (tmp_path / "copy").rename(path)
        with open_store(path) as other:
            other.remove("default", "p2")
            enrol(other, units(1, 8), ["new"])
            other.describe("default", "new", {})
            found = register.find(units(3)[2:], TRAINED)[0].candidates
            assert "p2" not in [each.person for each in found]
            assert register.find(units(1, 8), TRAINED)[0].candidates[0].person == "new"
            register.remove("new", "default")
            assert [person.name for person in other.people()] == ["p0", "p1"]


def test_in_a_forked_process_whatever_a_thread_held(store):
    enrol(store, units(3))
    register = Register(store)
    register.find(units(1), TRAINED)
    with register._lock:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = int(register.find(units(3)[2:], TRAINED)[0].candidates[0].person != "p2")
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
    assert register.find(units(3)[1:2], TRAINED)[0].candidates[0].person == "p1"


def test_a_file_has_no_search_of_its_own(tmp_path):
    with open_store(tmp_path / "a.gallery") as store:
        with pytest.raises(InvalidInput, match="search must be memory"):
            Register(store, search="database")
        with pytest.raises(InvalidInput, match="search is 'fast'; it must be one of auto, memory, database"):
            Register(store, search="fast")


@pytest.mark.parametrize("device", [None, "cpu"])
def test_what_a_matrix_takes_out_becomes_zeros(store, device):
    register = Register(store, search="memory", device=device)
    enrol(store, units(5))
    (block,) = register.matrix(TRAINED.sha256).blocks()
    rows = np.asarray(block)
    gone = rows[2].copy()
    register.remove("p2", "default")
    assert not (rows == gone).all(axis=1).any()
    assert not rows[4].any()


def test_rows_on_a_device_are_those_in_memory(monkeypatch):
    """Whatever comes and goes, and whoever is allowed: the same rows are nearest."""
    monkeypatch.setattr(rows_module, "BLOCK", 16)
    random = np.random.default_rng(0)
    here, there = rows_module.rows_on(None), rows_module.rows_on("cpu")
    for turn in range(40):
        new = units(int(random.integers(0, 20)), turn)
        for rows in (here, there):
            rows.append(new)
        for _ in range(int(random.integers(0, min(15, len(here) + 1)))):
            row = int(random.integers(len(here)))
            for rows in (here, there):
                rows.take_out(row)
        queries = units(3, 1000 + turn)
        allowed = random.random(len(here)) < 0.5 if turn % 2 else None
        count = min(8, len(here) if allowed is None else int(allowed.sum()))
        assert [set(found) for found in there.nearest(queries, count, allowed)] == [
            set(found) for found in here.nearest(queries, count, allowed)
        ]
        numbers = np.arange(0, len(here), 3)
        if len(numbers):
            np.testing.assert_array_equal(there.at(numbers), here.at(numbers))


def test_the_plain_search_gives_the_lowest_face_of_equals():
    row = units(1)
    hits = nearest_people(row, [7, 3, 5], [1, 2, 1], np.repeat(row, 3, axis=0), 5)
    assert [(hit.person, hit.face) for hit in hits[0]] == [(2, 3), (1, 5)]
