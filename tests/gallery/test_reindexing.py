"""Other weights: faces embedded again from what was kept, beside the old index; switched, and switched back."""

import io

import numpy as np
import pytest
from PIL import Image

from face_client import FaceClient
from face_client.errors import UnfitWeights
from face_client.messages import EMBEDDINGS, Response
from face_gallery.records import NewFace
from face_gallery.register import Register
from face_gallery.reindexing import compare, reindex
from face_gallery.store import Enrolment
from tests.fakes import FakeTransport, answer
from tests.gallery.people import OTHERS, TRAINED, UNTRAINED, units


def picture(number: int) -> np.ndarray:
    return np.full((160, 160, 3), number, np.uint8)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(number)).save(file, "PNG")
    return file.getvalue()


def reply(request):
    """FaceNet with others' weights: a person's colour says the embedding; a photo has two faces of that colour."""
    if request.outputs == (EMBEDDINGS,):
        (crops,) = request.inputs.values()
        return Response({EMBEDDINGS: np.stack([new(int(crop[0, 0, 0])) for crop in crops])})
    response = answer(2)
    colour = int(Image.open(io.BytesIO(request.inputs["encoded_image"][0, 0])).getpixel((0, 0))[0])
    boxes = np.array([[[0, 0, 50, 50], [100, 100, 140, 150]]], np.float32)
    return Response(
        {**response.outputs, "boxes": boxes, "embeddings": np.stack([units(1)[0], new(colour)])[np.newaxis]}
    )


def new(number: int) -> np.ndarray:
    return units(1, 1000 + number // 10)[0]


@pytest.fixture
def client():
    transport = FakeTransport(reply)
    transport.weights = OTHERS
    with FaceClient(transport=transport) as made:
        made.transport = transport
        yield made


@pytest.fixture
def filled(store):
    """Ten people with three faces each: two with a picture kept, one with none."""
    for person in range(10):
        rows = units(3, person)
        faces = [NewFace(rows[n], png(10 * person + n)) for n in range(2)]
        faces.append(NewFace(rows[2], None, {"image": f"{10 * person + 2}", "box": [101, 99, 139, 151]}))
        store.enrol([Enrolment("default", f"p{person}", None, faces)], TRAINED)
    return store


def test_from_kept_pictures(filled, client):
    told: list[int] = []
    found = reindex(filled, client, tell=told.append)
    assert (found.weights, found.embedded, len(found.missing)) == (OTHERS, 20, 10)
    assert told[-1] == 30
    assert [(index.weights, index.faces, index.is_active) for index in filled.indexes()] == [
        (TRAINED, 30, True),
        (OTHERS, 20, False),
    ]
    for face in filled.faces(OTHERS.sha256):
        if face.crop is not None:
            colour = int(np.asarray(Image.open(io.BytesIO(face.crop)))[0, 0, 0])
            assert np.array_equal(face.embedding, new(colour))
    again = reindex(filled, client)
    assert (again.embedded, again.missing) == (0, found.missing), "it goes on where it ended"


def test_from_the_pictures_they_came_from(filled, client):
    found = reindex(filled, client, picture_of=lambda face: png(int(face.details["image"])))
    assert (found.embedded, found.missing) == (30, [])
    register = Register(filled)
    for person in range(10):
        (who,) = register.find(new(10 * person)[np.newaxis], OTHERS)
        assert who.candidates[0].person == f"p{person}"


def test_a_kept_picture_that_is_none(filled, client):
    filled.enrol([Enrolment("default", "p0", None, [NewFace(units(1)[0], b"no picture")])], TRAINED)
    found = reindex(filled, client)
    assert (found.embedded, len(found.missing)) == (20, 11)


def test_a_face_that_is_not_where_it_was_is_missing(filled, client):
    for face in list(filled.faces()):
        if face.crop is None:
            filled.remove_faces([face.id])
    filled.enrol(
        [
            Enrolment(
                "default", "p0", None, [NewFace(units(1)[0], None, {"box": [60, 60, 90, 90]}), NewFace(units(1)[0])]
            )
        ],
        TRAINED,
    )
    found = reindex(filled, client, picture_of=lambda _face: png(0))
    assert (found.embedded, len(found.missing)) == (20, 2)


def test_both_are_compared_and_one_is_switched_to_and_back(filled, client):
    reindex(filled, client)
    old, young = compare(filled)
    assert (old.weights, young.weights) == (TRAINED, OTHERS)
    assert old.right < 0.5, "faces of a person were made to be strangers"
    assert young.right == 1
    assert young.own == pytest.approx(0, abs=1e-3)
    assert young.other > 1
    filled.activate(OTHERS.sha256)
    assert filled.indexes()[0].weights == OTHERS
    filled.enrol([Enrolment("default", "new", None, [NewFace(units(1, 77)[0])])], OTHERS)
    filled.activate(TRAINED.sha256)
    register = Register(filled)
    assert register.find(units(1, 3), TRAINED)[0].candidates[0].person == "p3"


def test_weights_that_change_or_will_not_do(filled, client):
    client.transport.weights = UNTRAINED
    with pytest.raises(UnfitWeights, match="random weights"):
        reindex(filled, client)
    client.transport.weights = OTHERS
    transport = client.transport
    wanted = transport.reply

    def change(request):
        transport.weights = TRAINED
        return wanted(request)

    transport.reply = change
    with pytest.raises(UnfitWeights, match="other weights meanwhile"):
        reindex(filled, client)
    assert [index.weights for index in filled.indexes()] == [TRAINED]
