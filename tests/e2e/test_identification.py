"""`face_identification`: the people of a gallery, known to a server and told to all of its callers."""

import asyncio
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpc
from tritonclient.utils import InferenceServerException

from face_bench.metrics import scrape
from face_cascade import FACENET
from face_client import AsyncFaceClient, FaceClient, InvalidInput
from face_gallery import AsyncServedGallery, Gallery, Gate, ServedGallery
from face_repository.layout import IDENTIFICATION, REQUIRED
from face_server import EmbeddedTriton, Settings
from face_tools.protos import write_protos
from tests.deploy.expressions import documented_metrics
from tests.e2e.collector import collecting
from tests.e2e.examples import build_go
from tests.e2e.requests import outputs, raw_image, tensor
from tests.pictures import DATA, astronaut, wall

MODEL = "face_identification"
BLANK = np.zeros((60, 70, 3), np.uint8)
NAMES = ("names", "distances", "margins", "threshold")


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    return str(tmp_path_factory.mktemp("gallery") / "people.gallery")


@pytest.fixture(scope="module")
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def server(repository, where, collector):
    models = (*REQUIRED, FACENET.name, *IDENTIFICATION)
    settings = Settings(networks="local", models=models, gallery=where, random_weights=True, trace=collector.url)
    with EmbeddedTriton(repository, settings) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with FaceClient(server.grpc_url, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def grpc_client(server):
    with grpc.InferenceServerClient(server.grpc_url) as client:
        yield client


@pytest.fixture(scope="module")
def gallery(client, where):
    """Of the file that the server has too: Ada, and others of the wall."""
    with Gallery(client, where, random_weights=True, gate=None) as gallery:
        gallery.add("Ada", [astronaut()], metadata={"site": 1})
        gallery.add("Bo", [wall()[:540, 1200:]], collection="guests", metadata={"site": 2})
        yield gallery


def infer(client, inputs, *names, **parameters):
    return client.infer(MODEL, inputs, outputs=outputs(*names), parameters=parameters)


def told(found):
    """Names and whom else each face looks like; distances as numbers that may differ in the last digits."""
    return [
        (
            face.person,
            face.refusals,
            [(each.person, each.collection, dict(each.metadata)) for each in face.candidates],
            face.threshold,
        )
        for face in found
    ]


def test_it_is_what_a_gallery_of_ones_own_says(gallery, client):
    served = ServedGallery(client)
    everything = {"threshold": 0.04, "where": {"site": 1}, "collections": ["default"], "max_faces": 4, "top": 1}
    strict = {"gate": Gate(min_size=100)}
    for picture, chosen in ((astronaut(), {}), (wall(), {"top": 1}), (wall(), everything), (wall(), strict)):
        expected, found = (asked.identify(picture, **chosen) for asked in (gallery, served))
        assert told(found) == told(expected)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one.face.box, other.face.box)
            assert one.distance == pytest.approx(other.distance, abs=1e-3)
            assert one.margin == pytest.approx(other.margin, abs=1e-3)
    assert served.identify(BLANK) == []


def test_in_asyncio_too(gallery, server):
    async def ask():
        async with AsyncFaceClient(server.grpc_url, timeout=120) as client:
            return await AsyncServedGallery(client).identify(astronaut())

    assert told(asyncio.run(ask())) == told(gallery.identify(astronaut()))


@pytest.mark.usefixtures("gallery")
def test_names_distances_and_margins_are_tensors_of_their_own(grpc_client):
    pictures = np.stack([astronaut(), np.zeros_like(astronaut())])
    answer = infer(grpc_client, [tensor("image", pictures)], "num_faces", "embeddings", "weights", *NAMES)
    assert answer.as_numpy("num_faces").tolist() == [[1], [0]]
    assert answer.as_numpy("names").tolist() == [[b"Ada"], [b""]]
    assert answer.as_numpy("distances").shape == answer.as_numpy("margins").shape == (2, 1)
    assert answer.as_numpy("threshold").tolist() == [[pytest.approx(1.1)], [0]]
    recognised = grpc_client.infer("face_recognition", [tensor("image", pictures)], outputs=outputs("embeddings"))
    np.testing.assert_allclose(answer.as_numpy("embeddings"), recognised.as_numpy("embeddings"), atol=1e-4)
    assert json.loads(answer.as_numpy("weights")[0, 0])["random"] is True
    everything = infer(grpc_client, [raw_image(BLANK)], *every_output(grpc_client))
    assert everything.as_numpy("names").shape == (1, 0)


def every_output(client):
    return [output.name for output in client.get_model_config(MODEL).config.output]


@pytest.mark.usefixtures("gallery")
def test_parameters_are_known_where_people_are_named_and_nowhere_else(grpc_client):
    assert infer(grpc_client, [raw_image(astronaut())], "names", collections="guests").as_numpy("names")[0, 0] == b"Bo"
    unknown = "parameter 'collections' is unknown, known are min_face_size"
    for model, names in (("mtcnn", ["boxes"]), ("mtcnn", []), ("face_recognition", ["embeddings"])):
        wanted = [grpc.InferRequestedOutput(name) for name in names]
        with pytest.raises(InferenceServerException, match=unknown):
            grpc_client.infer(model, [raw_image(BLANK)], outputs=wanted, parameters={"collections": "guests"})
    infer(grpc_client, [raw_image(BLANK)], "boxes", collections="guests")
    for name, value, sentence in (("nonsense", 1, "'nonsense' is unknown"), ("top", 0, "top is 0, must be from 1")):
        with pytest.raises(InferenceServerException, match=sentence):
            infer(grpc_client, [raw_image(BLANK)], "names", **{name: value})


@pytest.mark.usefixtures("gallery")
def test_callers_of_one_batch_each_get_what_they_asked_for(client, server):
    """Many at once, some of them wrong: the faces of the others meet, and each is answered as if it were alone."""
    served = ServedGallery(client)
    chosen = [{}, {"top": 1}, {"collections": ["guests"]}, {"where": {"site": 1}}, {"where": {'a"': 1}}]

    def ask(number):
        try:
            return told(served.identify(astronaut(), **chosen[number % len(chosen)]))
        except InvalidInput as error:
            return str(error)

    alone = [ask(number) for number in range(len(chosen))]
    assert "the key 'a\"' of a filter" in alone[-1]
    before = scrape(server.metrics_url)
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(ask, range(60)))
    assert together == alone * 12
    grown = scrape(server.metrics_url).since(before)
    assert grown.total("face_names_batch_faces_sum") == 48
    assert grown.total("face_names_failed_requests_total", reason="parameter") == 12
    assert grown.total("face_names_batch_faces_count") < 60, "they met"


def test_who_is_removed_is_gone_from_the_next_answer_on(gallery, client):
    served = ServedGallery(client)
    gallery.add("Cy", [astronaut()], collection="later", force=True)
    (face,) = served.identify(astronaut(), collections=["later"])
    assert face.person == "Cy"
    gallery.remove("Cy", collection="later")
    (face,) = served.identify(astronaut(), collections=["later"])
    assert (face.person, face.candidates, face.distance, face.margin) == (None, [], None, None)


def test_a_search_is_a_span_of_its_request(collector, grpc_client):
    grpc_client.infer(MODEL, [raw_image(astronaut())], outputs=outputs("names"), request_id="who-1")

    def above(spans):
        """The names of the search's span and of those above it, which are not all sent at once."""
        by_id = {span.id: span for span in spans}
        searches = [s for s in spans if (s.name, s.attributes.get("faces.request_id")) == ("search", "who-1")]
        names, span = [], searches[0] if searches else None
        while span is not None:
            names.append(span.name)
            span = by_id.get(span.parent)
        return names

    collector.wait_for(lambda spans: MODEL in above(spans))
    assert above(collector.spans)[:3] == ["search", "face_names", MODEL]


def test_the_guide_names_its_metrics(server):
    names = {re.sub("_(bucket|sum|count)$", "", name) for name, _ in scrape(server.metrics_url).samples}
    ours = {name for name in names if name.startswith("face_names_")}
    assert ours == {name for name in documented_metrics() if name.startswith("face_names_")}


def test_the_way_to_the_gallery_is_on_no_command_line(server, where):
    """It may hold a password, and every user of the machine reads what processes are called with."""
    root = psutil.Process(server.pid)
    assert not [
        word for process in (root, *root.children(recursive=True)) for word in process.cmdline() if where in word
    ]


def test_another_language_reads_names_without_json(gallery, server, tmp_path_factory):
    """Go's example: texts, as it sends pictures."""
    folder = tmp_path_factory.mktemp("go")
    write_protos(folder / "protos")
    (program,) = build_go(folder, folder / "protos")
    command = [program, "--url", server.grpc_url, "--model", MODEL, DATA / "astronaut.png"]
    (told,) = json.loads(subprocess.check_output(command, text=True, timeout=120))["faces"]
    (found,) = gallery.identify(astronaut())
    assert told["person"] == found.person == "Ada"
    assert told["distance"] == pytest.approx(found.distance, abs=1e-3)
    assert told["margin"] == pytest.approx(found.margin, abs=1e-3)
