"""Model `face_embeddings`: crops to embeddings, all faces of a batch together."""

import numpy as np
import pytest

from face_cascade.networks import FACENET
from face_runtime.answers import Refused, caller_is_gone
from face_runtime.embedding import embed
from tests.memory import little_memory
from tests.runtime.stand_in import LINES, METRICS, MODELS, InferenceRequest, InferenceResponse, Tensor, TritonError

FILE = "model_repository/face_embeddings/1/model.py"


def crops(count, first):
    """Crops of which each is told by its colour: `first`, `first + 1`, …"""
    colours = np.arange(first, first + count, dtype=np.uint8)
    return np.broadcast_to(colours[:, None, None, None], (count, 160, 160, 3)).copy()


ABOUT = b'{"name": "a.pt", "sha256": "0f", "random": false}'


def answer(batch, about):
    """FaceNet's, with these weights."""
    embeddings = np.repeat(batch[:, 0, 0, :1], 512, 1).astype(np.float32)
    told = np.tile(np.frombuffer(about, np.uint8), (len(batch), 1))
    return InferenceResponse([Tensor("embeddings__0", embeddings), Tensor("weights__2", told)])


@pytest.fixture
def sizes():
    """FaceNet is loaded; each face's embedding is its colour. The rows of each of its batches."""
    asked = []

    def facenet(request):
        batch = request.inputs()[0].as_numpy()
        asked.append(len(batch))
        return answer(batch, ABOUT)

    MODELS["facenet"] = facenet
    return asked


def request(*images, counts=None, wanted=("embeddings",), **given):
    most = max(map(len, images))
    stacked = np.stack([np.concatenate([image, crops(most - len(image), 200)]) for image in images])
    counts = [len(image) for image in images] if counts is None else counts
    inputs = [Tensor("facenet_crops", stacked), Tensor("num_crops", np.array(counts, np.int32)[:, None])]
    return InferenceRequest(inputs=inputs, requested_output_names=list(wanted), **given)


def colours(response):
    assert not response.has_error(), response.error()
    return response.output_tensors()[0].as_numpy()[..., 0].tolist()


def test_faces_of_all_images_go_in_equal_batches_and_come_back_to_their_images(sizes):
    images = [crops(50, 0), crops(0, 0), crops(31, 100)]
    embedded = embed(images)
    assert embedded.weights == ABOUT
    for found, image in zip(embedded.images, images, strict=True):
        assert found.shape == (len(image), 512)
        np.testing.assert_array_equal(found[:, 0], image[:, 0, 0, 0])
    assert sum(sizes) == 81
    assert max(sizes) <= FACENET.max_batch
    assert max(sizes) - min(sizes) <= 1
    assert embed([]) == ([], b"")
    nobody = embed([crops(0, 0)])
    assert nobody.images[0].shape == (0, 512)
    assert nobody.weights == b""


def test_before_each_batch_somebody_is_asked_whether_to_go_on(sizes):
    def check():
        if sizes:
            raise caller_is_gone()

    with pytest.raises(Refused, match="gone"):
        embed([crops(100, 0)], check)
    assert len(sizes) == 1


def test_requests_are_answered_without_the_rows_that_only_fill_up(model, sizes):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    responses = instance.execute([request(crops(2, 10), crops(1, 20)), request(crops(0, 0)), request(crops(1, 30))])
    assert [colours(response) for response in responses] == [[[10, 11], [20, 0]], [[]], [[30]]]
    assert sizes == [4]
    assert METRICS["face_embeddings_batch_faces", ""] == [4]
    assert not LINES


@pytest.mark.usefixtures("sizes")
@pytest.mark.parametrize("count", [-1, 3])
def test_a_wrong_count_fails_alone(model, count):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    bad, good = instance.execute([request(crops(2, 10), counts=[count], request_id="bad"), request(crops(1, 30))])
    assert colours(good) == [[30]]
    assert bad.error().code() == TritonError.INVALID_ARG
    assert bad.error().message() == f"num_crops is {count}, must be from 0 to 2, the crops of an image"
    assert [level for level, _ in LINES] == ["warning"]
    assert "reason=input" in LINES[0][1]
    assert "id=bad" in LINES[0][1]
    assert METRICS["face_embeddings_failed_requests_total", "input"] == [1]


@pytest.mark.usefixtures("sizes")
def test_every_image_with_faces_hears_which_weights_its_embeddings_are_of(model):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    both, one = instance.execute(
        [
            request(crops(1, 10), crops(0, 20), wanted=("embeddings", "weights")),
            request(crops(1, 30), wanted=("weights",)),
        ]
    )
    assert [tensor.name() for tensor in both.output_tensors()] == ["embeddings", "weights"]
    assert both.output_tensors()[1].as_numpy().tolist() == [[ABOUT], [b""]]
    assert one.output_tensors()[0].as_numpy().tolist() == [[ABOUT]]


def test_no_answer_is_of_two_facenets(model):
    versions = iter([ABOUT, b'{"name": "b.pt"}'])
    MODELS["facenet"] = lambda request: answer(request.inputs()[0].as_numpy(), next(versions))
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    sentence = "FaceNet was switched to other weights while these faces were embedded: ask again"
    assert failures(instance.execute([request(crops(100, 0))])) == [(sentence, TritonError.UNAVAILABLE)]


def failures(responses):
    return [(response.error().message(), response.error().code()) for response in responses]


def test_without_facenet_everybody_hears_what_is_missing(model):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    for message, code in failures(instance.execute([request(crops(1, 0)), request(crops(0, 0))])):
        assert message.startswith("model facenet is not loaded, so there are no embeddings: run `faces export")
        assert code == TritonError.UNAVAILABLE
    assert METRICS["face_embeddings_failed_requests_total", "no_facenet"] == [2]
    assert [level for level, _ in LINES] == ["error"] * 2


def test_whatever_facenets_reason_is_the_request_may_be_sent_again(model):
    MODELS["facenet"] = lambda _: InferenceResponse(error=TritonError("it burns", TritonError.INTERNAL))
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    failed = failures(instance.execute([request(crops(1, 0)), request(crops(1, 0))]))
    assert failed == [("model facenet: it burns", TritonError.UNAVAILABLE)] * 2
    assert METRICS["face_embeddings_failed_requests_total", "network"] == [2]
    assert "face_embeddings_batch_faces" not in [name for (name, _), values in METRICS.items() if values]


def test_when_all_callers_are_gone_facenet_is_not_asked_and_nobody_is_at_fault(model, sizes):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    (failed,) = failures(instance.execute([request(crops(1, 0), gone=lambda: True)]))
    assert failed[1] == TritonError.CANCELLED
    assert not sizes
    assert METRICS["face_embeddings_failed_requests_total", "cancelled"] == [1]
    assert [level for level, _ in LINES] == ["info"]


@pytest.mark.usefixtures("sizes")
def test_too_little_memory_is_the_servers_fault(model):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    image = crops(250, 0)
    asked = [request(image, image) for _ in range(2)]
    with little_memory(5 * 2**20):
        failed = failures(instance.execute(asked))
    assert failed == [("model face_embeddings has too little memory for these faces", TritonError.UNAVAILABLE)] * 2
    assert METRICS["face_embeddings_failed_requests_total", "memory"] == [2]
    assert [level for level, _ in LINES] == ["error"] * 2


class OnGpu(Tensor):
    """Is handed over as if it lay on a GPU: our code then takes it by DLPack, wherever it is."""

    def is_cpu(self):
        return False

    def as_numpy(self):
        raise AssertionError("copied to the host")


@pytest.mark.usefixtures("sizes")
def test_crops_on_a_gpu_stay_there_until_they_are_embeddings(model):
    instance = model(FILE, model_instance_name="face_embeddings_0_0")
    there = request(crops(2, 10), crops(1, 20))
    stacked = there.inputs()[0]
    there.inputs()[0] = OnGpu(stacked.name(), stacked.as_numpy())
    responses = instance.execute([there, request(crops(1, 30))])
    assert [colours(response) for response in responses] == [[[10, 11], [20, 0]], [[30]]]
