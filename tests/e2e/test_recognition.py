"""`face_recognition`: `mtcnn`'s faces with `facenet`'s embeddings, alone or among many requests."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from tritonclient.utils import InferenceServerException

from face_client import FaceClient, InvalidImage, InvalidInput, ModelNotLoaded, NoFace, UnfitWeights, Weights
from face_client.similarity import compare_faces
from face_export import weights as exported
from face_export.exporter import export_facenet
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.readers.facenet import random_weights
from face_export.weights import digest, load_into
from face_repository.layout import REQUIRED
from face_server import EmbeddedTriton, Settings
from face_server.http_api import ask
from tests.e2e.requests import counts, encoded_image, outputs, raw_image, tensor
from tests.e2e.test_batching import assert_same
from tests.export.conftest import CLASSES
from tests.pictures import DATA, astronaut, wall

MODEL = "face_recognition"

# Another batch may take other kernels; embeddings have length 1.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def on_the_wall(client):
    return client.recognize(wall(), crops=True)


def infer(client, inputs, *names, **parameters):
    return client.infer(MODEL, inputs, outputs=outputs(*names), parameters=parameters)


def test_faces_are_mtcnns_and_embeddings_those_of_each_crop_alone(client, on_the_wall):
    assert_same(on_the_wall, client.detect(wall()))
    assert len(on_the_wall) == 12
    np.testing.assert_allclose(np.linalg.norm(on_the_wall.embeddings, axis=1), 1, atol=1e-5)
    one_by_one = np.concatenate([client.embed(crop[np.newaxis]) for crop in on_the_wall.crops])
    np.testing.assert_allclose(on_the_wall.embeddings, one_by_one, atol=TOLERANCE)
    np.testing.assert_array_equal(on_the_wall[3].embedding, on_the_wall.embeddings[3])


def test_faces_of_concurrent_requests_meet_in_facenets_batches(client, grpc_client):
    pictures = [wall()[:, 1200:], wall()[:, 540:1220], astronaut()]
    alone = [client.recognize(np.ascontiguousarray(picture)) for picture in pictures]
    most = max(map(len, alone))
    assert most > 2
    jobs = [pictures[n % len(pictures)] for n in range(16)]
    before = counts(grpc_client, "facenet")
    with ThreadPoolExecutor(1) as pool:
        # FaceNet is at work while the faces are found, however fast the machine: one run of so many crops.
        crops = np.zeros((48, 160, 160, 3), np.uint8)
        at_work = pool.submit(client.embed, crops)
        together = list(client.recognize_batch(map(np.ascontiguousarray, jobs), in_flight=16))
        at_work.result()
    faces, runs = counts(grpc_client, "facenet") - before - [len(crops), 1]
    assert faces == sum(map(len, together))
    assert faces / runs > most
    for n, found in enumerate(together):
        expected = alone[n % len(pictures)]
        assert_same(found, expected)
        np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=TOLERANCE)


def test_a_request_with_several_images(client, grpc_client):
    pictures = np.stack([astronaut(), np.zeros((512, 512, 3), np.uint8), wall()[568:, 100:612]])
    answer = infer(grpc_client, [tensor("image", pictures)], "num_faces", "embeddings")
    embeddings, counted = answer.as_numpy("embeddings"), answer.as_numpy("num_faces")[:, 0]
    alone = [client.recognize(picture) for picture in pictures]
    assert counted.tolist() == [len(faces) for faces in alone]
    assert counted[1] == 0
    assert embeddings.shape == (3, counted.max(), 512)
    for rows, count, faces in zip(embeddings, counted, alone, strict=True):
        np.testing.assert_allclose(rows[:count], faces.embeddings, atol=TOLERANCE)
        assert not rows[count:].any()


def test_the_parameters_of_detection(client, on_the_wall):
    three = client.recognize(wall(), max_faces=3)
    np.testing.assert_allclose(three.embeddings, on_the_wall.embeddings[:3], atol=TOLERANCE)
    (largest,) = client.recognize(wall(), selection="largest", threshold_onet=0.65, min_face_size=33.5)
    np.testing.assert_allclose(largest.embedding, on_the_wall[0].embedding, atol=0.05)


@pytest.mark.parametrize("align", [False, True])
def test_crops_may_have_any_size_and_embeddings_are_of_the_same_view(client, align):
    picture = astronaut()
    small = client.recognize(picture, crops=True, margin=40, align=align)
    large = client.recognize(picture, crops=True, image_size=320, margin=80, align=align)
    assert large.crops.shape == (1, 320, 320, 3)
    np.testing.assert_allclose(large.embeddings, small.embeddings, atol=TOLERANCE)
    np.testing.assert_allclose(client.embed(small.crops), small.embeddings, atol=TOLERANCE)


def test_alignment_undoes_a_tilt(client):
    tilted = np.array(Image.fromarray(astronaut()).rotate(15, Image.Resampling.BICUBIC))

    def differences(**options):
        upright, turned = (client.recognize(p, crops=True, max_faces=1, **options) for p in (astronaut(), tilted))
        pixels = np.abs(upright.crops.astype(int) - turned.crops).mean()
        return pixels, np.linalg.norm(upright.embeddings - turned.embeddings)

    aligned, by_box = differences(align=True), differences()
    assert aligned[0] < by_box[0] / 2
    # The weights are random, but what looks the same is the same to any network.
    assert aligned[1] < by_box[1]


def test_a_turned_face_is_set_upright_before_it_is_recognized(client):
    picture = astronaut()
    upright = client.recognize(picture, crops=True)
    for turn in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(picture, -turn))
        assert 90 * turn not in (face.angle for face in client.recognize(turned))
        found = client.recognize(turned, crops=True, rotations=True)
        assert found.angles.tolist() == [90 * turn]
        np.testing.assert_array_equal(found.crops, upright.crops)
        np.testing.assert_allclose(found.embeddings, upright.embeddings, atol=TOLERANCE)
        assert (found.boxes[0, :2] < found.landmarks[0].min(axis=0)).all()
        assert (found.landmarks[0].max(axis=0) < found.boxes[0, 2:]).all()
        aligned = client.recognize(turned, crops=True, rotations=True, align=True)
        assert np.abs(aligned.crops - client.recognize(picture, crops=True, align=True).crops.astype(int)).mean() < 1


def test_requests_with_and_without_rotations_meet_and_keep_their_answers(client):
    picture = np.ascontiguousarray(np.rot90(wall(960, 540), 2))
    alone = client.detect(picture), client.detect(picture, rotations=True)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda n: client.detect(picture, rotations=n % 2 == 1), range(16)))
    for n, found in enumerate(together):
        assert_same(found, alone[n % 2])
    assert len(alone[1]) > len(alone[0])
    assert set(alone[1].angles.tolist()) == {180}


def test_boxes_are_cut_at_the_border_on_request(client):
    cut_off = np.ascontiguousarray(astronaut()[60:, 185:400])
    (beyond,), (within,) = client.recognize(cut_off), client.recognize(cut_off, clip=True)
    assert beyond.box[0] < -20
    np.testing.assert_array_equal(within.box, np.clip(beyond.box, 0, [215, 452, 215, 452]))
    assert within.landmarks == beyond.landmarks
    np.testing.assert_allclose(within.embedding, beyond.embedding, atol=TOLERANCE)


def test_no_face(client, grpc_client):
    faces = client.recognize(np.zeros((60, 70, 3), np.uint8))
    assert faces.embeddings.shape == (0, 512)
    answer = infer(grpc_client, [raw_image(np.zeros((60, 70, 3), np.uint8))], "embeddings")
    assert answer.as_numpy("embeddings").shape == (1, 0, 512)


@pytest.mark.parametrize(
    "wanted",
    ["boxes", "probabilities", "landmarks", "faces", "num_faces", "picture_size", "candidates_dropped"],
)
def test_any_output_by_itself_and_facenet_only_for_embeddings(grpc_client, wanted):
    before = counts(grpc_client, "facenet")
    found = infer(grpc_client, [raw_image(astronaut())], wanted).as_numpy(wanted)
    expected = grpc_client.infer("mtcnn", [raw_image(astronaut())], outputs=outputs(wanted)).as_numpy(wanted)
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert (counts(grpc_client, "facenet") == before).all()


def test_the_time_of_each_stage_is_told_to_whoever_asks(client, grpc_client):
    def asked(call):
        start = time.perf_counter()
        timing = dict(call(astronaut(), timing=True).timing)
        assert timing.pop("images") == 1
        assert timing.keys() == {"decode", "integral", "pnet", "nms", "rnet", "onet", "other", "answer"}
        assert 0 < sum(timing.values()) < time.perf_counter() - start

    asked(client.detect)
    asked(client.recognize)
    assert client.recognize(astronaut()).timing is None
    # The ensemble too asks for nothing else where nothing else is wanted.
    before = counts(grpc_client, "facenet")
    pair = tensor("image", np.stack([astronaut()] * 2))
    answer = infer(grpc_client, [pair], "timing")
    assert [output.name for output in answer.get_response().outputs] == ["timing"]
    assert [json.loads(text)["images"] for text in answer.as_numpy("timing")[:, 0]] == [2, 2]
    assert (counts(grpc_client, "facenet") == before).all()


def test_errors_are_mtcnns(client, grpc_client):
    with pytest.raises(InvalidInput, match="min_face_size is 1, must be from 10"):
        client.recognize(DATA / "astronaut.png", min_face_size=1)
    with pytest.raises(InvalidImage):
        client.recognize(b"junk")
    for inputs, parameters, sentence in (
        ([encoded_image(b"junk")], {}, "encoded_image is not a picture"),
        ([raw_image(astronaut()), encoded_image(b"x")], {}, "inputs given are both of image and encoded_image"),
        ([raw_image(astronaut())], {"foo": 1}, "parameter 'foo' is unknown"),
        ([raw_image(astronaut())], {"align": "perhaps"}, "align is 'perhaps', must be true or false"),
    ):
        with pytest.raises(InferenceServerException, match=sentence) as caught:
            infer(grpc_client, inputs, "embeddings", **parameters)
        assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_bad_requests_fail_nobody_else(client):
    good = astronaut()
    answers = list(client.recognize_each([good, b"junk", good]))
    assert isinstance(answers[1], InvalidImage)
    np.testing.assert_allclose(answers[0].embeddings, answers[2].embeddings, atol=TOLERANCE)
    with ThreadPoolExecutor(4) as pool:
        bad = [pool.submit(client.recognize, good, factor=7) for _ in range(2)]
        fine = [pool.submit(client.recognize, good) for _ in range(2)]
    assert all(isinstance(answer.exception(), InvalidInput) for answer in bad)
    assert all(len(answer.result()) == 1 for answer in fine)


def test_comparing(client):
    same = client.compare(DATA / "astronaut.png", astronaut(), random_weights=True)
    assert same.same
    assert same.distance < 1e-3
    assert same.cosine > 0.999
    other = client.compare(astronaut(), np.ascontiguousarray(astronaut()[:, ::-1]), threshold=1e-6, random_weights=True)
    assert not other.same
    with pytest.raises(NoFace, match="no face was found in the second image"):
        client.compare(astronaut(), np.zeros((50, 50, 3), np.uint8))


def test_random_weights_are_told_to_everybody_and_judge_nobody(client, grpc_client, triton):
    with pytest.raises(UnfitWeights, match="the server's FaceNet has random weights"):
        client.compare(astronaut(), astronaut())
    weights = client.weights()
    network = InceptionResnetV1(CLASSES)
    load_into(network, random_weights(CLASSES))
    assert weights == Weights("RandomState(0)", digest(network), random=True)
    # In any language, and over HTTP in JSON.
    told = infer(grpc_client, [raw_image(astronaut())], "weights").as_numpy("weights")
    assert json.loads(told[0, 0]) == weights.to_dict()
    small = astronaut()[::4, ::4]
    body = {
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, *small.shape], "data": small.ravel().tolist()}],
        "outputs": [{"name": "weights"}],
    }
    answer = ask(f"{triton.http_url}/v2/models/face_recognition/infer", body, timeout=30)
    assert json.loads(answer["outputs"][0]["data"][0]) == weights.to_dict()
    # Nobody to embed, nobody asked.
    nobody = infer(grpc_client, [raw_image(np.zeros((50, 50, 3), np.uint8))], "weights").as_numpy("weights")
    assert nobody.tolist() == [[b""]]


def test_a_facenet_that_is_put_in_place_while_the_server_runs_is_told_at_once(repository, tmp_path):
    """The network itself says what it is: neither its record nor what the server started with matters."""
    models = tmp_path / "models"
    models.mkdir()
    for model in repository.iterdir():
        (models / model.name).symlink_to(model)
    (models / "facenet").unlink()
    shutil.copytree(repository / "facenet", models / "facenet", ignore=shutil.ignore_patterns("configs"))
    settings = Settings(models=(*REQUIRED, "facenet"))
    with EmbeddedTriton(models, settings) as server, FaceClient(server.grpc_url, timeout=60) as client:
        before = client.recognize(astronaut())
        assert before.weights.random
        trained = dict(random_weights(CLASSES).tensors)
        trained["last_bn.bias"] = trained["last_bn.bias"] + 0.5
        export_facenet(exported.Weights(trained, "trained.pt", None), models, 2)
        ask(f"{server.http_url}/v2/repository/models/facenet/load", {}, server.admin_key, timeout=120)
        after = client.recognize(astronaut())
        assert (after.weights.name, after.weights.random) == ("trained.pt", False)
        assert after.weights == client.weights()
        assert client.compare(astronaut(), astronaut()).same
        with pytest.raises(UnfitWeights, match="different weights"):
            compare_faces(before, after, random_weights=True)


@pytest.fixture(scope="module")
def without_facenet(repository):
    with EmbeddedTriton(repository, Settings(models=REQUIRED)) as server, FaceClient(server.grpc_url) as client:
        yield client


def test_without_facenet_faces_are_found_and_recognition_says_what_is_missing(without_facenet):
    assert len(without_facenet.detect(astronaut())) == 1
    missing = "model facenet is not loaded, so there are no embeddings: run `faces export --facenet vggface2`"
    for picture in (astronaut(), np.zeros((50, 50, 3), np.uint8)):
        with pytest.raises(ModelNotLoaded, match=missing):
            without_facenet.recognize(picture)
    with pytest.raises(ModelNotLoaded, match="facenet"):
        without_facenet.embed(np.zeros((1, 160, 160, 3), np.uint8))
    assert without_facenet.is_ready("face_recognition")
    assert not without_facenet.is_ready("facenet")
