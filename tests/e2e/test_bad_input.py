"""Bad input gets INVALID_ARGUMENT and one sentence, and takes nobody else down."""

import io
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from tritonclient.utils import InferenceServerException

from tests.e2e.fuzz.pictures import black_png
from tests.e2e.requests import counts, encoded_image, outputs, raw_image, tensor
from tests.pictures import DATA, astronaut, wall

GOOD = np.zeros((40, 40, 3), np.uint8)


def bomb():
    """A PNG that claims 60,000 x 60,000 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    return bytes(data)


def infer(client, inputs, parameters=None):
    return client.infer("mtcnn", inputs, outputs=outputs(), parameters=parameters)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ([encoded_image(b"")], "encoded_image is empty"),
        ([encoded_image(b"no picture at all")], "encoded_image is not a picture in a known format"),
        ([encoded_image((DATA / "README.md").read_bytes())], "encoded_image is not a picture in a known format"),
        ([encoded_image((DATA / "astronaut.png").read_bytes()[:5000])], "encoded_image"),
        ([encoded_image(bomb())], "encoded_image"),
        ([raw_image(np.zeros((8000, 7000, 3), np.uint8))], "image has 7000x8000 pixels, must have at most 50,000,000"),
        (
            [tensor("encoded_image", np.array([[black_png(7000, 5000)]] * 2, dtype=object))],
            "encoded_image has more than 50000000 pixels in its 2 pictures",
        ),
        ([tensor("image", np.zeros((13, 2000, 2000, 3), np.uint8))], "image has 13 times 2000x2000 pixels, must have"),
        ([raw_image(GOOD), encoded_image(b"x")], "inputs given are both of image and encoded_image"),
        ([], ""),
        ([raw_image(GOOD.astype(np.float32))], "data-type is 'FP32', but model 'mtcnn' expects 'UINT8'"),
        ([raw_image(GOOD[:, :, 0])], r"unexpected shape for input 'image'"),
        ([raw_image(np.zeros((40, 40, 4), np.uint8))], "unexpected shape for input 'image'"),
        ([tensor("image", np.zeros((1, 0, 40, 3), np.uint8))], "image has shape"),
        ([tensor("image", np.zeros((17, 40, 40, 3), np.uint8))], "batch-size must be <= 16"),
    ],
)
def test_bad_images(grpc_client, inputs, sentence):
    with pytest.raises(InferenceServerException) as caught:
        infer(grpc_client, inputs)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert sentence in caught.value.message()
    assert_says_no_more_than_it_should(caught.value.message())


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"min_size": 20}, "parameter 'min_size' is unknown"),
        ({"min_face_size": 3}, "min_face_size is 3, must be from 10 to 65535"),
        ({"threshold_onet": 1.5}, "threshold_onet is 1.5, must be from 0 to 1"),
        ({"factor": float("nan")}, "factor is nan, must be a number"),
        ({"selection": "smallest"}, "selection is 'smallest', must be one of all, largest"),
        ({"max_faces": True}, "max_faces is True, must be a number"),
    ],
)
def test_bad_parameters(grpc_client, parameters, sentence):
    with pytest.raises(InferenceServerException) as caught:
        infer(grpc_client, [raw_image(GOOD)], parameters)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert sentence in caught.value.message()
    assert_says_no_more_than_it_should(caught.value.message())


def assert_says_no_more_than_it_should(message):
    assert "Traceback" not in message
    assert ".py" not in message
    assert not re.search(r"(^|\s)/\w+/", message)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (11, 11), (300, 200)])
def test_nothing_to_see_is_an_answer_with_zero_rows(grpc_client, shape):
    answer = infer(grpc_client, [raw_image(np.zeros((*shape, 3), np.uint8))])
    assert answer.as_numpy("boxes").shape == (1, 0, 4)
    assert answer.as_numpy("probabilities").shape == (1, 0)
    assert answer.as_numpy("landmarks").shape == (1, 0, 5, 2)
    assert answer.as_numpy("num_faces").tolist() == [[0]]


def test_bad_requests_fail_nobody_else_in_their_batch(grpc_client, busy, instances):
    jobs = [
        ([raw_image(astronaut())], {}),
        ([raw_image(astronaut())], {"factor": 7}),
        ([raw_image(astronaut())], {"foo": "bar"}),
        ([raw_image(wall(960, 540))], {"max_faces": 3}),
    ]
    before = counts(grpc_client, "mtcnn")
    with busy(), ThreadPoolExecutor(len(jobs)) as pool:
        answers = [pool.submit(infer, grpc_client, *job) for job in jobs]
    # One execution for each picture that kept an instance busy, one for the four together.
    assert (counts(grpc_client, "mtcnn") - before)[1] == instances + 1
    assert [answer.exception() is None for answer in answers] == [True, False, False, True]
    assert answers[0].result().as_numpy("num_faces").tolist() == [[1]]
    assert answers[3].result().as_numpy("num_faces").tolist() == [[3]]


def test_a_model_that_is_not_there(grpc_client):
    with pytest.raises(InferenceServerException, match="'facenet2' is not found"):
        grpc_client.infer("facenet2", [raw_image(GOOD)])


def test_a_shape_that_a_network_cannot_take(grpc_client):
    with pytest.raises(InferenceServerException) as caught:
        grpc_client.infer("pnet", [tensor("tiles__0", np.zeros((1, 3, 5, 5), np.float32))])
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "tiles__0 has shape [1, 3, 5, 5], must have sides of at least 11" in caught.value.message()
    assert_says_no_more_than_it_should(caught.value.message())


def test_crops_beyond_what_an_answer_can_hold(grpc_client):
    everything = {"threshold_pnet": 0.1, "threshold_rnet": 0, "threshold_onet": 0, "image_size": 1024}
    with pytest.raises(InferenceServerException) as caught:
        grpc_client.infer("mtcnn", [raw_image(astronaut())], outputs=outputs("faces"), parameters=everything)
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "image_size is 1024, must be smaller for" in caught.value.message()
