"""One suite for both stores: what is written is there, for all who look; what is removed is gone."""

import threading

import numpy as np
import pytest

from face_client.errors import InvalidInput, UnfitWeights
from face_gallery.errors import GalleryUnfit, UnknownPerson
from face_gallery.opening import open_store
from face_gallery.records import NewFace
from face_gallery.store import Enrolment
from tests.gallery.people import OTHERS, TRAINED, enrol, units


def read(store, weights=TRAINED):
    """All rows of an index as the matrices read them: {face: (person, embedding)}."""
    pages = list(store.came(weights.sha256, 0, store.counter()))
    return {
        face: (person, embedding)
        for page in pages
        for face, person, embedding in zip(page.faces.tolist(), page.people.tolist(), page.embeddings, strict=True)
    }


def test_who_is_enrolled_is_there_for_another_process_too(store, where):
    rows = units(3)
    faces = enrol(store, rows, ["Ada", "Björk", "李娜"], metadata={"site": "A", "level": 3})
    with open_store(where) as other:
        people = list(other.people())
        assert [person.name for person in people] == ["Ada", "Björk", "李娜"]
        assert [(person.faces, person.metadata) for person in people] == [(1, {"site": "A", "level": 3})] * 3
        found = read(other)
        assert list(found) == faces
        for face, row in zip(faces, rows, strict=True):
            assert np.array_equal(found[face][1], row), "to the bit"


def test_an_empty_gallery(store):
    assert list(store.people()) == [] == list(store.faces())
    assert store.indexes() == []
    assert store.counter() == 0
    assert store.ids().tolist() == []
    with pytest.raises(UnknownPerson, match="nobody is enrolled as 'Ada' in collection 'default'"):
        store.remove("default", "Ada")


def test_the_same_person_gets_more_faces_and_keeps_the_metadata(store):
    rows = units(3)
    enrol(store, rows[:1], ["Ada"], metadata={"site": "A"})
    store.enrol([Enrolment("default", "Ada", None, [NewFace(rows[1], b"crop", {"image": "a.jpg"})])], TRAINED)
    person = store.person("default", "Ada")
    assert (person.faces, person.metadata) == (2, {"site": "A"})
    faces = list(store.faces(TRAINED.sha256, person.id))
    assert [(face.crop, face.details) for face in faces] == [(None, {}), (b"crop", {"image": "a.jpg"})]
    assert np.array_equal(faces[1].embedding, rows[1])
    twice = [Enrolment("default", "Ada", told, []) for told in ({"level": 3}, {"site": "C", "level": 4})]
    store.enrol(twice, TRAINED)
    store.tell("default", "Ada", {"consent": [17]})
    assert store.person("default", "Ada").metadata == {"site": "C", "level": 4, "consent": [17]}
    store.describe("default", "Ada", {"site": "B"})
    assert store.person("default", "Ada").metadata == {"site": "B"}


def test_pictures_and_where_they_come_from(store, monkeypatch):
    monkeypatch.setattr("face_gallery.store._PAGE", 2)
    faces = [
        NewFace(row, crop, {"image": f"{number}.jpg"})
        for number, (row, crop) in enumerate(zip(units(3), (b"a", None, b"b"), strict=True))
    ]
    (ids,) = store.enrol([Enrolment("default", "Ada", None, faces)], TRAINED)
    store.enrol([Enrolment("guests", "Bo", None, faces[:1])], TRAINED)
    assert store.crops([*ids, 999, ids[0]]) == {ids[0]: b"a", ids[2]: b"b"}
    assert store.crops([]) == {}
    told = [(name, details["image"]) for name, details in store.details("default")]
    assert told == [("Ada", "0.jpg"), ("Ada", "1.jpg"), ("Ada", "2.jpg")]
    assert [name for name, _ in store.details("guests")] == ["Bo"]


def test_collections_and_metadata_choose(store):
    enrol(store, units(2), ["Ada", "Bo"], metadata={"site": "A", "level": 3, "vip": True})
    enrol(store, units(2, 1), ["Ada", "Cy"], collection="guests", metadata={"site": "B", "level": 3, "vip": False})
    assert store.collections() == {"default": 2, "guests": 2}
    for wanted, names in (
        ({}, ["Ada", "Bo", "Ada", "Cy"]),
        ({"site": "A"}, ["Ada", "Bo"]),
        ({"site": "A", "level": 4}, []),
        ({"level": 3, "vip": False}, ["Ada", "Cy"]),
        ({"missing": 1}, []),
        ({"site": "A' OR '1'='1"}, []),
    ):
        assert [person.name for person in store.people(where=wanted)] == names
        assert len(store.ids(where=wanted)) == len(names)
    assert [person.name for person in store.people(["guests"])] == ["Ada", "Cy"]
    assert list(store.people([])) == []


def test_people_come_page_by_page(store, monkeypatch):
    monkeypatch.setattr("face_gallery.store._PAGE", 7)
    enrol(store, units(50))
    assert [person.name for person in store.people()] == sorted(f"p{number}" for number in range(50))
    assert len(read(store)) == 50


def test_removed_is_gone_and_the_others_stay(store):
    faces = enrol(store, units(5))
    before = store.counter()
    assert store.remove("default", "p2") == 1
    store.remove_faces([faces[4], faces[4] + 1])
    assert sorted(read(store)) == [faces[0], faces[1], faces[3]]
    assert store.went(before, store.counter()).tolist() == [faces[2], faces[4]], (
        "a face that is yet to come is not gone"
    )
    assert [person.name for person in store.people()] == ["p0", "p1", "p3", "p4"]
    assert store.person("default", "p4").faces == 0
    with pytest.raises(UnknownPerson):
        store.remove("default", "p2")


def test_what_was_erased_long_ago_is_forgotten_and_says_so(store, monkeypatch):
    monkeypatch.setattr("face_gallery.store._REMEMBERED", 5)
    faces = enrol(store, units(20))
    for face in faces[:12]:
        store.remove_faces([face])
    assert store.went(1, store.counter()) is None
    assert store.went(store.counter() - 3, store.counter()).tolist() == faces[9:12]


def test_faces_of_another_network_are_refused_until_there_is_an_index(store):
    faces = enrol(store, units(3))
    with pytest.raises(UnfitWeights, match=r"embedded by trained\.pt .* and these by others\.pt .* reindex"):
        enrol(store, units(1), ["Dora"], weights=OTHERS)
    assert [person.name for person in store.people()] == ["p0", "p1", "p2"], "nothing half written"
    store.add_embeddings(OTHERS, dict(zip([*faces, 999], units(4, 1), strict=True)))
    store.add_embeddings(OTHERS, {faces[0]: units(1, 9)[0]})
    assert [(index.weights, index.faces, index.is_active) for index in store.indexes()] == [
        (TRAINED, 3, True),
        (OTHERS, 3, False),
    ]
    assert np.array_equal(read(store, OTHERS)[faces[0]][1], units(4, 1)[0]), "the first one stays"
    store.activate(OTHERS.sha256)
    enrol(store, units(1, 5), ["Dora"], weights=OTHERS)
    with pytest.raises(GalleryUnfit, match="cannot be dropped"):
        store.drop_index(OTHERS.sha256)
    store.drop_index(TRAINED.sha256)
    assert [index.weights for index in store.indexes()] == [OTHERS]
    assert read(store, TRAINED) == {}
    for work in (store.activate, store.drop_index):
        with pytest.raises(GalleryUnfit, match="no index of the weights"):
            work(TRAINED.sha256)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"collections": "staff"}, "collections is 'staff'; it must be a list of names"),
        ({"collections": [""]}, "collection is ''"),
        ({"where": {"a": [1]}}, "its values must be texts, numbers, true or false"),
        ({"where": {"a": None}}, "its values must be"),
        ({"where": {"a": 2**70}}, "its values must be"),
        ({"where": {"a": float("nan")}}, "its values must be"),
        ({"where": {1: 2}}, "its values must be"),
        ({"where": {"a": "\ud800"}}, "its values must be"),
        ({"where": {"\ud800": 1}}, "its values must be"),
    ],
)
def test_a_choice_that_cannot_be(store, chosen, words):
    with pytest.raises(InvalidInput, match=words):
        list(store.people(**chosen))
    with pytest.raises(InvalidInput, match=words):
        store.ids(**chosen)


def test_collections_are_what_they_look_like(store):
    enrol(store, units(1), collection="café")
    assert len(store.ids(["cafe\u0301"])) == 1


@pytest.mark.parametrize("row", [np.zeros(512), np.ones(128), np.full(512, np.nan), np.ones((2, 512))])
def test_what_is_no_embedding(store, row):
    with pytest.raises(InvalidInput, match="embedding must be 512 numbers"):
        store.enrol([Enrolment("default", "Ada", None, [NewFace(row.astype(np.float32))])], TRAINED)
    (face,) = enrol(store, units(1))
    with pytest.raises(InvalidInput, match="embedding must be 512 numbers"):
        store.add_embeddings(OTHERS, {face: row.astype(np.float32)})
    assert [index.weights for index in store.indexes()] == [TRAINED]


def test_a_calibration_is_kept_with_its_index(store):
    enrol(store, units(1))
    store.calibrate(TRAINED.sha256, {"distance": 0.9})
    assert store.indexes()[0].calibration == {"distance": 0.9}
    store.calibrate(TRAINED.sha256, None)
    with pytest.raises(GalleryUnfit, match="no index of the weights"):
        store.calibrate(OTHERS.sha256, {"distance": 0.9})
    assert store.indexes()[0].calibration is None


def test_an_enrolment_that_fails_leaves_nothing(store):
    with pytest.raises(ZeroDivisionError):
        store.enrol((Enrolment("default", f"p{1 // (3 - n)}", None, []) for n in range(4)), TRAINED)
    assert list(store.people()) == []
    assert store.counter() == 0
    enrol(store, units(1))


def test_many_threads_enrol_the_same_and_other_people(store, where):
    def work(number: int) -> None:
        with open_store(where) as own:
            for turn in range(5):
                for used in (store, own):
                    enrol(used, units(1, 100 * number + turn), ["all"])
                    enrol(used, units(1, turn), [f"only {number}"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {person.name: person.faces for person in store.people()} == {"all": 40} | {
        f"only {number}": 10 for number in range(4)
    }
    assert store.counter() == 80


def test_compacted_it_is_the_same(store):
    enrol(store, units(20))
    for number in range(10):
        store.remove("default", f"p{number}")
    before = read(store)
    store.compact()
    after = read(store)
    assert before.keys() == after.keys()
    assert len(after) == 10


def test_a_gallery_that_must_be_there(tmp_path):
    with pytest.raises(GalleryUnfit, match="is not there"):
        open_store(tmp_path / "none.gallery", create=False)
    assert not list(tmp_path.iterdir())
