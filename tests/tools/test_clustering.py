"""Clusters of synthetic embeddings."""

import numpy as np
import pytest

from face_client import FaceClient, InvalidInput, UnfitWeights
from face_tools.clustering import UNCLUSTERED, cluster, cluster_embeddings, cluster_faces
from tests.fakes import TRAINED, UNTRAINED


def people(counts, spread, seed=0):
    """So many noisy rows around a direction of its own for each person: (rows, person of each row), shuffled."""
    random = np.random.RandomState(seed)
    centres, _ = np.linalg.qr(random.randn(512, len(counts)))
    persons = np.repeat(np.arange(len(counts)), counts)
    random.shuffle(persons)
    rows = centres.T[persons] + spread * random.randn(len(persons), 512) / np.sqrt(512)
    # Their lengths must not matter.
    return (rows * random.uniform(0.5, 2, (len(rows), 1))).astype(np.float32), persons


def slow_average_linkage(rows, distance):
    """Joins the two nearest clusters as long as they are near enough: sets of row numbers."""
    rows = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    clusters = [{number} for number in range(len(rows))]

    def apart(pair):
        return np.mean([np.linalg.norm(rows[i] - rows[j]) for i in pair[0] for j in pair[1]])

    while len(clusters) > 1:
        a, b = min(((x, y) for n, x in enumerate(clusters) for y in clusters[:n]), key=apart)
        if apart((a, b)) > distance:
            break
        clusters = [c for c in clusters if c is not a and c is not b] + [a | b]
    return {frozenset(c) for c in clusters}


@pytest.mark.parametrize("seed", range(3))
def test_people_are_found(seed):
    rows, persons = people([9, 5, 3, 1], 0.6, seed)
    labels = cluster_embeddings(rows)
    for label, person in enumerate(range(3)):
        assert set(np.flatnonzero(labels == label)) == set(np.flatnonzero(persons == person))
    assert labels[persons == 3].tolist() == [UNCLUSTERED]
    assert cluster_embeddings(rows, min_faces=1)[persons == 3].tolist() == [3]


@pytest.mark.parametrize("distance", [0.4, 0.9, 1.1, 1.3, 1.42])
def test_clusters_are_those_of_the_definition(distance):
    rows, _ = people([6, 5, 4, 2, 1], 0.9)
    labels = cluster_embeddings(rows, distance, min_faces=1)
    found = {frozenset(np.flatnonzero(labels == label)) for label in set(labels)}
    assert found == slow_average_linkage(rows, distance)
    sizes = np.bincount(labels)
    assert (np.diff(sizes) <= 0).all()


def test_few_faces():
    assert cluster_embeddings(np.empty((0, 512), np.float32)).shape == (0,)
    one = np.ones((1, 512), np.float32)
    assert cluster_embeddings(one).tolist() == [UNCLUSTERED]
    assert cluster_embeddings(one, min_faces=1).tolist() == [0]
    assert cluster_embeddings(np.repeat(one, 2, axis=0)).tolist() == [0, 0]
    assert cluster_embeddings(np.stack([one[0], -one[0]])).tolist() == [UNCLUSTERED] * 2


@pytest.mark.parametrize("arguments", [{"distance": -0.1}, {"distance": 2.1}, {"min_faces": 0}])
def test_arguments_that_make_no_sense(arguments):
    with pytest.raises(InvalidInput, match=f"{next(iter(arguments))} is"):
        cluster_embeddings(np.ones((2, 4), np.float32), **arguments)


def test_the_faces_of_images(make_transport, make_answer, picture):
    # Face i of each image is person i.
    answers = iter([make_answer(2), make_answer(0), make_answer(1), make_answer(3)])
    client = FaceClient(transport=make_transport(lambda _request: next(answers)))
    clusters = cluster(client, [picture] * 4, in_flight=1, max_faces=5)
    assert clusters.images == [0, 0, 2, 3, 3, 3]
    assert clusters.labels.tolist() == [0, 1, 0, 0, 1, UNCLUSTERED]
    assert len(clusters) == 2
    assert [clusters.members(label) for label in (0, 1, UNCLUSTERED)] == [[0, 2, 3], [1, 4], [5]]
    assert client._transport.requests[0].parameters == {"max_faces": 5}


def test_random_weights_make_no_clusters(make_transport, make_answer, picture):
    transport = make_transport(make_answer(2))
    transport.weights = UNTRAINED
    with FaceClient(transport=transport) as client:
        with pytest.raises(UnfitWeights, match="random weights"):
            cluster(client, [picture] * 100, in_flight=1)
        assert len(transport.requests) < 10, "it is seen at once"
        assert len(cluster(client, [picture] * 2, random_weights=True)) == 2
        before = client.recognize(picture)
        transport.weights = TRAINED
        with pytest.raises(UnfitWeights, match="different weights"):
            cluster_faces([before, client.recognize(picture)], random_weights=True)


def test_no_face_at_all(make_transport, make_answer, picture):
    client = FaceClient(transport=make_transport(make_answer(0)))
    assert len(cluster(client, [picture, picture])) == 0
    with pytest.raises(InvalidInput, match="no embeddings"):
        cluster_faces([FaceClient(transport=make_transport()).detect(picture)])
