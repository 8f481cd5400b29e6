"""Distances and cosines against their definitions, pair by pair."""

import math

import numpy as np
import pytest

from face_client import Faces, InvalidInput, NoFace
from face_client.similarity import SAME_DISTANCE, compare_embeddings, compare_faces, cosines, distances


def rows(count, seed=0, size=512):
    return np.random.RandomState(seed).standard_normal((count, size)).astype(np.float32)


def test_every_pair_is_what_the_definition_says():
    a, b = rows(5), rows(7, seed=1)
    found = distances(a, b), cosines(a, b)
    for i, x in enumerate(a.astype(np.float64)):
        for j, y in enumerate(b.astype(np.float64)):
            x_unit, y_unit = x / math.sqrt((x * x).sum()), y / math.sqrt((y * y).sum())
            assert found[0][i, j] == pytest.approx(math.dist(x_unit, y_unit), abs=1e-12)
            assert found[1][i, j] == pytest.approx((x_unit * y_unit).sum(), abs=1e-12)


def test_the_same_and_the_opposite():
    (a,) = rows(1)
    assert compare_embeddings(a, a) == (pytest.approx(0, abs=1e-7), pytest.approx(1), True)
    assert compare_embeddings(a, -3 * a) == (pytest.approx(2), pytest.approx(-1), False)
    nearly = a.copy()
    nearly[0] += 1e-4
    assert 0 < compare_embeddings(a, nearly).distance < 1e-5


def test_no_rows_and_rows_of_zeros():
    assert distances(rows(0), rows(3)).shape == (0, 3)
    assert distances(rows(3), rows(0)).shape == (3, 0)
    nobody = np.zeros((1, 512), np.float32)
    assert cosines(nobody, rows(2)).tolist() == [[0, 0]]
    assert distances(nobody, nobody)[0, 0] == pytest.approx(math.sqrt(2))


def at_distance(distance):
    """Two embeddings that far apart."""
    cosine = 1 - distance * distance / 2
    return np.float32([1, 0]), np.float32([cosine, math.sqrt(1 - cosine * cosine)])


def test_the_threshold_is_a_distance():
    assert compare_embeddings(*at_distance(SAME_DISTANCE - 1e-4)).same
    assert not compare_embeddings(*at_distance(SAME_DISTANCE + 1e-4)).same
    assert not compare_embeddings(*at_distance(0.5), threshold=0.4999).same
    assert compare_embeddings(*at_distance(0.5), threshold=0.5001).same


def faces(embeddings):
    count = 0 if embeddings is None else len(embeddings)
    return Faces(
        np.zeros((count, 4), np.float32),
        np.zeros(count, np.float32),
        np.zeros((count, 5, 2), np.float32),
        10,
        10,
        embeddings=embeddings,
    )


def test_faces_are_compared_by_their_first():
    a, b = rows(3), rows(2, seed=1)
    assert compare_faces(faces(a), faces(b)) == compare_embeddings(a[0], b[0])


def test_faces_that_cannot_be_compared():
    some, none = faces(rows(1)), faces(rows(0))
    with pytest.raises(NoFace, match="no face was found in the first image; a comparison needs one in each"):
        compare_faces(none, some)
    with pytest.raises(NoFace, match="in the second image"):
        compare_faces(some, none)
    detected = Faces(some.boxes, some.probabilities, some.landmarks, 10, 10)
    with pytest.raises(InvalidInput, match="the faces have no embeddings; ask for them with recognize"):
        compare_faces(some, detected)
