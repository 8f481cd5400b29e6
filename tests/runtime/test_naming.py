"""Model `face_names`: embeddings to names, the faces of all callers together, each caller by its own parameters."""

import json
import sqlite3
import sys

import numpy as np
import pytest

from face_gallery import Register, open_store
from face_gallery.errors import GalleryUnavailable, GalleryUnfit
from face_gallery.matrix import Matrix
from face_runtime.naming import NOBODY, device_of
from face_runtime.settings import GALLERY_VARIABLE, RANDOM_WEIGHTS_VARIABLE
from tests.gallery.people import OTHERS, TRAINED, UNTRAINED, enrol, near, units
from tests.runtime.stand_in import LINES, METRICS, InferenceRequest, Tensor, TritonError, TritonModelException

FILE = "model_repository/face_names/1/model.py"

SEARCHED = ("names", "collections", "distances", "margins", "candidates", "threshold", "threshold_details")

PEOPLE = units(40)

# No word of where it is.
AWAY = "the gallery of this server cannot be asked now: ask again in a while"

INSTANCE = {"model_instance_name": "face_names_0_0", "model_instance_kind": "CPU", "model_instance_device_id": "0"}


@pytest.fixture
def where(tmp_path, monkeypatch):
    """A gallery of p0 … p19 on site 1 and p0 … p19 among the guests."""
    path = str(tmp_path / "people.gallery")
    monkeypatch.setenv(GALLERY_VARIABLE, path)
    monkeypatch.delenv(RANDOM_WEIGHTS_VARIABLE, raising=False)
    with open_store(path) as store:
        enrol(store, PEOPLE[:20], metadata={"site": 1})
        enrol(store, PEOPLE[20:], collection="guests")
    return path


@pytest.fixture
def instance(model):
    def make(search="memory"):
        config = {"parameters": {"search": {"string_value": search}}}
        return model(FILE, model_config=json.dumps(config), **INSTANCE)

    return make


def request(*images, weights=TRAINED, counts=None, wanted=SEARCHED, told=None, **parameters):
    most = max(map(len, images))
    stacked = np.stack([np.concatenate([image, np.full((most - len(image), 512), 9, np.float32)]) for image in images])
    text = json.dumps(weights.to_dict()).encode() if told is None else told
    inputs = [
        Tensor("embeddings", stacked.astype(np.float32)),
        Tensor("weights", np.array([[text if len(image) else b""] for image in images], np.object_)),
        Tensor("num_faces", np.array([[len(image)] for image in images] if counts is None else counts, np.int32)),
    ]
    return InferenceRequest(inputs=inputs, requested_output_names=wanted, parameters=parameters)


def answer(response):
    assert not response.has_error(), response.error()
    return {tensor.name(): tensor.as_numpy().tolist() for tensor in response.output_tensors()}


def failures(responses):
    return [(str(response.error()), response.error().code()) for response in responses]


NOFACES = np.empty((0, 512), np.float32)


@pytest.mark.usefixtures("where")
def test_names_distances_and_margins_of_each_face_of_each_image(instance):
    known, unknown = near(PEOPLE[3:4], 0.3), units(1, 99)
    (response,) = instance().execute([request(np.concatenate([known, unknown]), NOFACES, PEOPLE[25:26])])
    found = answer(response)
    assert found["names"] == [[b"p3", b""], [b"", b""], [b"p5", b""]]
    assert found["collections"] == [[b"default", b""], [b"", b""], [b"guests", b""]]
    distances, margins = np.array(found["distances"]), np.array(found["margins"])
    assert distances[0, 0] == pytest.approx(np.linalg.norm(known - PEOPLE[3]), abs=1e-5)
    assert distances[0, 1] > 1.1
    assert distances[2, 0] < 1e-3
    assert margins[0, 0] > 0.5
    assert not distances[1].any()
    candidates = json.loads(found["candidates"][0][0])
    assert [list(each) for each in candidates] == [
        ["person", "collection", "distance", "cosine", "metadata", "face"]
    ] * 3
    assert candidates[0]["metadata"] == {"site": 1}
    assert len(json.loads(found["candidates"][0][1])) == 3, "of the unknown too"
    assert found["threshold"] == [[pytest.approx(1.1)], [0], [pytest.approx(1.1)]]
    told = [json.loads(text) if text else None for (text,) in found["threshold_details"]]
    assert told == [{"distance": 1.1, "source": "literature"}, None, {"distance": 1.1, "source": "literature"}]


CHOSEN = (
    {},
    {"top": 1},
    {"top": 7, "threshold": 0.4},
    {"collections": "guests"},
    {"collections": "guests", "top": 2},
    {"where": '{"site": 1}'},
    {"collections": "nowhere"},
)


@pytest.mark.usefixtures("where")
def test_batched_equals_single_whatever_each_caller_says(instance, monkeypatch):
    searches = []
    search = Matrix.search
    monkeypatch.setattr(
        Matrix, "search", lambda self, queries, *rest: searches.append(len(queries)) or search(self, queries, *rest)
    )
    model = instance()
    random = np.random.default_rng(0)
    asked = []
    for number in range(30):
        images = [
            near(PEOPLE[random.integers(0, 40, random.integers(0, 4))], 0.9, number) for _ in range(number % 3 + 1)
        ]
        asked.append(lambda images=images, number=number: request(*images, **CHOSEN[number % len(CHOSEN)]))
    together = [answer(response) for response in model.execute([make() for make in asked])]
    # Who looks among the same people is searched for at once, whatever the rest is.
    assert len(searches) == 4
    assert together == [answer(model.execute([make()])[0]) for make in asked]
    assert len({json.dumps(found, default=str) for found in together}) > 20


def test_a_bad_request_fails_alone(where, instance):
    model = instance()
    face = PEOPLE[3:4]
    bad = [
        (request(face, top=0), "top is 0, must be from 1 to 100"),
        (request(face, nonsense=1), "parameter 'nonsense' is unknown, known are min_face_size"),
        (request(face, counts=[[2]]), "num_faces is 2, must be from 0 to 1, the faces of an image"),
        (request(face, told=b"{}"), "weights are no answer of FaceNet"),
        # SQLite finds out: who asks the same in the same way shares it.
        (request(face, where='{"a\\"b": 1}'), "the key 'a\"b' of a filter"),
    ]
    responses = model.execute([*(each for each, _ in bad), request(face)])
    for response, (_, sentence) in zip(responses, bad, strict=False):
        assert response.error().message().startswith(sentence)
        assert response.error().code() == TritonError.INVALID_ARG
    assert answer(responses[-1])["names"] == [[b"p3"]]
    assert METRICS["face_names_failed_requests_total", "parameter"] == [3]
    assert METRICS["face_names_failed_requests_total", "input"] == [2]
    assert METRICS["face_names_batch_faces", ""] == [1]
    assert {level for level, _ in LINES} == {"info", "warning"}
    assert all(where in text for level, text in LINES if level == "info")


@pytest.mark.usefixtures("where")
def test_embeddings_that_cannot_be_compared_are_told_in_one_sentence(instance):
    model = instance()
    face = PEOPLE[3:4]
    others, untrained, good = model.execute(
        [request(face, weights=OTHERS), request(face, weights=UNTRAINED), request(face)]
    )
    assert (
        others.error().message().startswith("the faces of this gallery are embedded by trained.pt (0f0f0f0f0f0f), and")
    )
    assert untrained.error().message().startswith("the server's FaceNet has random weights, so its embeddings")
    assert others.error().code() == untrained.error().code() == TritonError.INTERNAL
    assert answer(good)["names"] == [[b"p3"]]
    assert METRICS["face_names_failed_requests_total", "unfit"] == [2]


def test_random_weights_where_they_are_allowed(instance, tmp_path, monkeypatch):
    monkeypatch.setenv(GALLERY_VARIABLE, str(tmp_path / "new.gallery"))
    monkeypatch.setenv(RANDOM_WEIGHTS_VARIABLE, "1")
    model = instance()
    face = request(PEOPLE[3:4], weights=UNTRAINED)
    empty = answer(model.execute([face])[0])
    assert (empty["names"], empty["distances"], empty["margins"]) == ([[b""]], [[NOBODY]], [[NOBODY]])
    assert empty["candidates"] == [[b"[]"]]
    with open_store(tmp_path / "new.gallery") as store:
        enrol(store, PEOPLE[3:4], ["Ada"], UNTRAINED)
    found = answer(model.execute([face])[0])
    assert (found["names"], found["margins"]) == ([[b"Ada"]], [[NOBODY]]), "there is no other"


def test_what_others_change_holds_from_the_next_answer_on(where, instance):
    model = instance()
    assert METRICS["face_names_gallery_faces", ""] == [40]
    face = request(PEOPLE[3:4])
    assert answer(model.execute([face])[0])["names"] == [[b"p3"]]
    with open_store(where) as store:
        store.remove("default", "p3")
        assert answer(model.execute([face])[0])["names"] == [[b""]]
        enrol(store, PEOPLE[3:4], ["again"])
        assert answer(model.execute([face])[0])["names"] == [[b"again"]]
        store.remove("default", "p4")
    answer(model.execute([face])[0])
    assert METRICS["face_names_gallery_faces", ""] == [39]


@pytest.mark.usefixtures("where")
def test_while_the_gallery_is_away_callers_hear_so(instance, monkeypatch):
    model = instance()
    with monkeypatch.context() as patch:

        def away(_self):
            raise GalleryUnavailable("it cannot be reached")

        patch.setattr("face_gallery.store.Store.counter", away)
        responses = model.execute([request(PEOPLE[:1]), request(PEOPLE[:1], top=1), request(NOFACES)])
        assert failures(responses[:2]) == [(AWAY, TritonError.UNAVAILABLE)] * 2
        assert answer(responses[2])["names"] == [[]], "nobody was looked for"
    assert METRICS["face_names_failed_requests_total", "gallery"] == [2]
    assert ("error", 'face_names: gallery message="it cannot be reached"') in LINES
    assert answer(model.execute([request(PEOPLE[:1])])[0])["names"] == [[b"p0"]]


@pytest.mark.usefixtures("where")
def test_a_gallery_that_is_not_there_yet_is_opened_once_it_is(instance, monkeypatch):
    with monkeypatch.context() as patch:

        def away(*_arguments, **_options):
            raise GalleryUnavailable("it cannot be reached")

        patch.setattr("face_runtime.naming.open_store", away)
        model = instance()
        assert LINES == [("error", 'face_names: gallery message="it cannot be reached"')]
        assert failures(model.execute([request(PEOPLE[:1])])) == [(AWAY, TritonError.UNAVAILABLE)]
    assert answer(model.execute([request(PEOPLE[:1])])[0])["names"] == [[b"p0"]]


@pytest.mark.usefixtures("where")
def test_a_gallery_that_is_renewed_under_a_server(instance, monkeypatch):
    model = instance()

    def unfit(_self):
        raise GalleryUnfit("/srv/people.gallery is a gallery of version 99")

    monkeypatch.setattr("face_gallery.store.Store.counter", unfit)
    ((message, code),) = failures(model.execute([request(PEOPLE[:1])]))
    assert code == TritonError.INTERNAL
    assert message.startswith("the gallery of this server cannot be used as it is")
    assert "version 99" in LINES[-2][1]


def test_a_gallery_of_a_newer_version_is_no_gallery_yet(where, instance):
    with sqlite3.connect(where) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(Exception, match="is a gallery of version 99"):
        instance()


def test_a_server_without_a_gallery_says_what_it_lacks(instance, monkeypatch):
    monkeypatch.delenv(GALLERY_VARIABLE, raising=False)
    with pytest.raises(
        TritonModelException, match="face_names has no gallery: `faces serve --gallery` names one, or TRIT"
    ):
        instance()


@pytest.mark.usefixtures("where")
def test_what_is_only_passed_on_asks_nobody(instance, monkeypatch):
    model = instance()
    monkeypatch.setattr(Register, "find", lambda *_arguments, **_options: pytest.fail("asked"))
    wanted = ("face_embeddings", "face_weights")
    found = answer(model.execute([request(PEOPLE[:2], wanted=wanted, weights=OTHERS)])[0])
    assert found.keys() == set(wanted)
    np.testing.assert_array_equal(np.array(found["face_embeddings"], np.float32)[0], PEOPLE[:2])
    assert json.loads(found["face_weights"][0][0]) == OTHERS.to_dict()


@pytest.mark.usefixtures("where")
def test_callers_who_are_gone_take_no_time_of_the_others(instance):
    gone = request(PEOPLE[:1])
    gone._gone = lambda: True
    first, second = instance().execute([gone, request(PEOPLE[:1])])
    assert first.error().code() == TritonError.CANCELLED
    assert answer(second)["names"] == [[b"p0"]]


def test_the_matrix_lies_on_a_gpu_where_torch_has_one(monkeypatch):
    said = []
    assert device_of("CPU", "0", said.append) is None
    assert device_of("GPU", "1", said.append) is None
    assert said == ["people are looked for by the processor: torch has no CUDA here"]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert device_of("GPU", "1", said.append) == "cuda:1"
    monkeypatch.setitem(sys.modules, "torch", None)
    assert device_of("GPU", "1", said.append) is None
    assert said[1:] == ["people are looked for by the processor: torch is not installed"]
