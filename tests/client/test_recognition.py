"""What both clients ask of the recognition models, and what they make of their answers."""

import inspect

import numpy as np
import pytest

from face_client import (
    AsyncFaceClient,
    FaceClient,
    Faces,
    InvalidImage,
    InvalidInput,
    ModelNotLoaded,
    NoFace,
    ServerError,
    ServerUnavailable,
    UnfitWeights,
)
from face_client.messages import CROPS_PER_REQUEST, WEIGHTS, Response, weights_from, weights_request
from face_client.similarity import compare_faces
from face_client.weights import Weights
from tests.fakes import TRAINED, UNTRAINED


def facenet(request):
    """Row n of the answer holds the first pixel of crop n."""
    first = request.inputs["crops__0"][:, 0, 0, :1].astype(np.float32)
    columns = {"embeddings__0": 512, "logits__1": 7}
    return Response({name: np.repeat(first, columns[name], axis=1) for name in request.outputs})


def crops(count):
    """Crop n is of the grey level n."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 160, 160, 3))


def test_recognize_asks_for_embeddings_and_detect_does_not(client_of, picture):
    client = client_of()
    faces = client.recognize(picture, min_face_size=30, align=True)
    (request,) = client._transport.requests
    assert request.model == "face_recognition"
    assert request.outputs[-2:] == ("embeddings", "weights")
    assert request.parameters == {"min_face_size": 30, "align": True}
    assert faces.embeddings.shape == (1, 512)
    assert faces[0].embedding[0] == 1
    assert "embedding" in faces.to_dict()["faces"][0]
    detected = client.detect(picture)
    assert client._transport.requests[1].model == "mtcnn"
    assert "embeddings" not in client._transport.requests[1].outputs
    assert detected.embeddings is detected[0].embedding is None
    assert "embedding" not in detected.to_dict()["faces"][0]


def test_embeddings_stay_with_their_faces(client_of, make_answer, picture):
    padded = make_answer(3)
    padded.outputs["num_faces"][0, 0] = 2
    faces = client_of(padded).recognize(picture, crops=True, max_side=20)
    assert faces.embeddings.shape == (2, 512)
    assert [int(face.embedding.argmax()) for face in faces] == [0, 1]
    assert faces.crops.shape == (2, 160, 160, 3)
    assert faces.boxes[1, 0] == 2, "in pixels of the picture that was given"


def test_other_models(client_of, picture):
    client = client_of(recognizer="mine", embedder="my_facenet")
    client.recognize(picture)
    assert client._transport.requests[0].model == "mine"
    client._transport.reply = facenet
    client.embed(crops(1))
    assert client._transport.requests[1].model == "my_facenet"


def test_recognize_batch(client_of, picture):
    answers = list(client_of().recognize_each([picture, b"junk", picture]))
    assert [type(answer) for answer in answers] == [Faces, InvalidImage, Faces]
    assert answers[2].embeddings.shape == (1, 512)
    with pytest.raises(InvalidInput, match="in_flight is 0"):
        client_of().recognize_batch([], in_flight=0)


@pytest.mark.parametrize("client", [FaceClient, AsyncFaceClient])
@pytest.mark.parametrize("name", ["", "_batch", "_each"])
def test_recognition_takes_what_detection_takes(name, client):
    detect, recognize = (inspect.signature(getattr(client, verb + name)) for verb in ("detect", "recognize"))
    assert detect == recognize


@pytest.mark.parametrize("count", [0, 1, CROPS_PER_REQUEST, CROPS_PER_REQUEST + 1, 200])
@pytest.mark.parametrize("kind", [np.ascontiguousarray, list, lambda array: array[:, ::-1]])
def test_any_number_of_crops_in_order(client_of, count, kind):
    client = client_of(facenet)
    embeddings = client.embed(kind(crops(count)))
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (count, 512)
    np.testing.assert_array_equal(embeddings[:, 3], np.arange(count))
    sizes = [len(request.inputs["crops__0"]) for request in client._transport.requests]
    assert sum(sizes) == count
    assert max(sizes, default=0) <= CROPS_PER_REQUEST
    assert all(request.outputs == ("embeddings__0",) for request in client._transport.requests)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((2, 80, 80, 3), np.uint8), r"crops\[0\] is uint8 with shape \[80, 80, 3\]"),
        (np.zeros((160, 160, 3), np.uint8), r"crops is one crop; it must be many"),
        (None, "crops is of type NoneType"),
        (np.uint8(3), "crops is one uint8"),
        (np.zeros((1, 160, 160, 3), np.float32), r"crops\[0\] is float32 with shape \[160, 160, 3\]"),
        ([np.zeros((160, 160, 3), np.uint8), "face.jpg"], r"crops\[1\] is str; it must be uint8 \[160, 160, 3\] RGB"),
        (
            [np.zeros((160, 160, 3), np.uint8)] * 70 + [np.zeros((160, 160, 1), np.uint8)],
            r"crops\[70\] is uint8 with shape \[160, 160, 1\]",
        ),
    ],
)
def test_what_is_no_crop(client_of, given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        client_of(facenet).embed(given)


def test_classify(client_of):
    client = client_of(facenet)
    logits = client.classify(crops(70))
    assert logits.shape == (70, 7)
    np.testing.assert_array_equal(logits[:, 6], np.arange(70))
    assert client._transport.requests[0].outputs == ("logits__1",)
    assert client.classify(crops(0)).shape == (0, 0)


def test_weights_without_a_classifier(client_of):
    client = client_of(Response({"logits__1": np.empty((1, 0), np.float32)}))
    with pytest.raises(UnfitWeights, match=r"of model 'facenet' have no classifier.*`faces export") as caught:
        client.classify(crops(1))
    assert not isinstance(caught.value, ServerUnavailable), "that may work later"
    assert len(client._transport.requests) == 1


def test_an_answer_without_rows_is_the_servers_fault(client_of):
    with pytest.raises(ServerError, match=r"'facenet' did not return embeddings__0"):
        client_of(Response({})).embed(crops(1))


def test_a_server_without_facenet(client_of, picture):
    client = client_of(ModelNotLoaded("model facenet is not loaded"))
    for ask in (
        lambda: client.recognize(picture),
        lambda: client.embed(crops(1)),
        lambda: client.compare(picture, picture),
    ):
        before = len(client._transport.requests)
        with pytest.raises(ServerUnavailable, match="facenet is not loaded"):
            ask()
        # The answer is definite: each picture is asked about once.
        assert len(client._transport.requests) - before <= 2


def test_compare_takes_the_largest_face_of_each(client_of, picture):
    client = client_of()
    comparison = client.compare(picture, picture, min_face_size=12)
    assert comparison == (0, 1, True)
    assert [request.parameters for request in client._transport.requests] == [
        {"selection": "largest", "min_face_size": 12}
    ] * 2
    assert not client.compare(picture, picture, threshold=0).same
    client.compare(picture, picture, selection="center_weighted_size")
    assert client._transport.requests[-1].parameters == {"selection": "center_weighted_size"}


def test_random_weights_do_not_judge(client_of, picture):
    client = client_of()
    client._transport.weights = UNTRAINED
    with pytest.raises(UnfitWeights, match="random weights, so its embeddings tell nobody apart; give it trained ones"):
        client.compare(picture, picture)
    assert client.compare(picture, picture, random_weights=True).same
    faces = client.recognize(picture)
    assert faces.weights == client.weights() == UNTRAINED
    assert faces.to_dict()["weights"] == {"name": "RandomState(0)", "sha256": "f0" * 32, "random": True}
    # The server was given others meanwhile.
    client._transport.weights = TRAINED
    later = client.recognize(picture)
    assert later.weights == client.weights() == TRAINED
    with pytest.raises(UnfitWeights, match=r"different weights, RandomState\(0\) \(f0f0f0f0f0f0\) and trained.pt"):
        compare_faces(faces, later, random_weights=True)
    assert compare_faces(later, later).same


def test_faces_without_embeddings_have_no_weights(client_of, make_answer, picture):
    assert client_of().detect(picture).weights is None
    nobody = make_answer(0)
    nobody.outputs["weights"] = np.array([[b""]], np.object_)
    assert client_of(nobody).recognize(picture).weights is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"\xff", "null", '{"name": "a", "sha256": "b"}'])
def test_what_no_server_says_of_its_weights(text):
    with pytest.raises(ServerError, match="the server says of its weights"):
        Weights.parse(text)


def test_a_server_that_does_not_tell_its_weights():
    request = weights_request("facenet")
    with pytest.raises(ServerError, match=f"did not return {WEIGHTS}"):
        weights_from(request, Response({}))


def test_compare_needs_a_face_in_each(client_of, make_answer, picture):
    narrow = picture[:, :10]
    client = client_of(lambda request: make_answer(int(request.inputs["image"].shape[2] == 40)))
    with pytest.raises(NoFace, match="in the second image"):
        client.compare(picture, narrow)
    with pytest.raises(NoFace, match="in the first image"):
        client.compare(narrow, picture)


def test_readiness_of_a_model(client_of):
    client = client_of()
    client._transport.is_ready = lambda model, _timeout: model == "facenet"
    assert client.is_ready("facenet")
    assert not client.is_ready()
    client.wait_ready(0.1, "facenet")
    with pytest.raises(ServerUnavailable, match=r"'face_recognition' at .* was not ready"):
        client.wait_ready(0.1, "face_recognition")
