"""A photo among a hundred thousand made faces: first, and the others in the order of a plain search."""

import numpy as np
import pytest

from face_gallery import Gallery, open_store
from face_gallery.records import NewFace
from face_gallery.store import Enrolment
from tests.gallery.people import near, units
from tests.pictures import astronaut, wall

CROWD = 100_000
PEOPLE = 20_000


def crowd(weights, store, looks: np.ndarray) -> np.ndarray:
    """Five faces of each of many made people, the last of them like somebody real; their embeddings."""
    rows = units(CROWD, 1)
    # Random weights find all faces alike: some of the made ones lie among the real ones.
    rows[-200:] = near(np.repeat(looks[np.newaxis], 200, axis=0), 0.3, 2)
    names = (f"p{number}" for number in range(PEOPLE))
    store.enrol(
        (
            Enrolment("default", name, None, [NewFace(row) for row in rows[5 * number : 5 * number + 5]])
            for number, name in enumerate(names)
        ),
        weights,
    )
    return rows


def plain(rows: np.ndarray, people: list[str], query: np.ndarray, top: int) -> list[str]:
    cosines = (rows.astype(np.float64) @ query.astype(np.float64)) / np.linalg.norm(rows.astype(np.float64), axis=1)
    return list(dict.fromkeys(people[number] for number in np.argsort(-cosines, kind="stable")))[:top]


@pytest.fixture
def enrolled(client, where):
    """A store with the crowd and a photo in it; all embeddings, and whose each is."""
    recognized = client.recognize(astronaut())
    with open_store(where) as store:
        rows = crowd(recognized.weights, store, recognized.embeddings[0])
        with Gallery(client, store, random_weights=True, gate=None) as gallery:
            gallery.add("Eileen", [astronaut()], metadata={"photo": True})
        people = [*(f"p{number // 5}" for number in range(CROWD)), "Eileen"]
        yield store, np.concatenate([rows, recognized.embeddings]), people


def test_who_is_enrolled_is_found_first_among_a_hundred_thousand(client, enrolled):
    """In memory, and as the store would search: PostgreSQL by itself."""
    store, rows, people = enrolled
    photo, several = client.recognize(astronaut()), client.recognize(wall(), max_faces=6)
    for search in ("memory", "auto"):
        gallery = Gallery(client, store, search=search, random_weights=True, gate=None)
        (found,) = gallery.identify_faces(photo, top=20)
        assert found.person == "Eileen"
        assert found.distance == pytest.approx(0, abs=1e-3)
        assert [each.person for each in found.candidates] == plain(rows, people, photo.embeddings[0], 20)
        for answer, embedding in zip(gallery.identify_faces(several, top=10), several.embeddings, strict=True):
            assert [each.person for each in answer.candidates] == plain(rows, people, embedding, 10)
        (only,) = gallery.identify_faces(photo, where={"photo": True})
        assert [each.person for each in only.candidates] == ["Eileen"]
    assert gallery.remove("Eileen") == 1
    (gone,) = gallery.identify_faces(photo)
    assert "Eileen" not in [each.person for each in gone.candidates]
