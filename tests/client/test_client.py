"""FaceClient against a transport that does what a real server cannot be made to do."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

import face_client.retry
from face_client import DeadlineExceeded, FaceClient, Faces, InvalidInput, ServerError, ServerUnavailable
from face_client.errors import Cancelled, InvalidImage, error_from_status
from face_client.messages import Response


@pytest.fixture
def client_of(make_transport, monkeypatch):
    """client_of(replies…, timeout=…): a client whose waits are short."""
    monkeypatch.setattr(face_client.retry, "_FIRST_DELAY_S", 0.001)
    return lambda *replies, **options: FaceClient(transport=make_transport(*replies), **options)


def sent(client):
    (request,) = client._transport.requests
    return request


def test_files_and_bytes_go_as_they_are(client_of, picture, encode, tmp_path):
    data = encode(picture, "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    for image in (data, bytearray(data), memoryview(data), path, str(path)):
        client = client_of()
        faces = client.detect(image)
        tensor = sent(client).inputs["encoded_image"]
        assert tensor.shape == (1, 1)
        assert tensor[0, 0] == data
        assert (faces.width, faces.height) == (40, 30)


def test_arrays_and_pillow_images_go_as_pixels(client_of, picture):
    for image in (picture, Image.fromarray(picture), picture[::-1][::-1]):
        client = client_of()
        client.detect(image)
        np.testing.assert_array_equal(sent(client).inputs["image"], picture[None])
    client = client_of()
    client.detect(picture[:, :, 0])
    np.testing.assert_array_equal(sent(client).inputs["image"][0, :, :, 2], picture[:, :, 0])


@pytest.mark.parametrize("kind", ["array", "bytes"])
def test_max_side_shrinks_the_picture_and_scales_the_faces_back(kind, client_of, picture, encode):
    client = client_of()
    faces = client.detect(picture if kind == "array" else encode(picture, "PNG"), max_side=20)
    assert sent(client).inputs["image"].shape == (1, 15, 20, 3)
    assert (faces.width, faces.height) == (40, 30)
    np.testing.assert_allclose(faces.boxes, [[0, 20, 40, 80]])
    np.testing.assert_allclose(faces.landmarks[0], np.arange(10).reshape(5, 2) * 2)


def test_only_what_the_caller_sets_is_sent(client_of, picture):
    client = client_of()
    client.detect(picture)
    assert sent(client).parameters == {}
    client = client_of()
    client.detect(picture, min_face_size=np.int64(40), factor=np.float32(0.5), selection="largest")
    assert sent(client).parameters == {"min_face_size": 40, "factor": 0.5, "selection": "largest"}
    assert [type(value) for value in sent(client).parameters.values()] == [float, float, str]


def test_crops_come_only_when_asked_for(client_of, picture):
    client = client_of()
    assert client.detect(picture, crops=True)[0].crop.shape == (160, 160, 3)
    assert "faces" in sent(client).outputs
    client = client_of()
    client.detect(picture)
    assert "faces" not in sent(client).outputs


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((3, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        [[1, 2], [3, 4]],
        None,
    ],
)
def test_wrong_images_are_refused_before_anything_is_sent(image, client_of):
    client = client_of()
    with pytest.raises(InvalidInput, match=r"^image is .*; it must be"):
        client.detect(image)
    assert client._transport.requests == []


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_bytes_that_are_no_image_are_refused_before_anything_is_sent(data, client_of):
    client = client_of()
    with pytest.raises(InvalidImage):
        client.detect(data)
    assert client._transport.requests == []


def test_wrong_options(client_of, picture):
    with pytest.raises(TypeError, match="min_face_sise"):
        client_of().detect(picture, min_face_sise=3)
    with pytest.raises(InvalidInput, match="min_face_size is 'big'; it must be of type float"):
        client_of().detect(picture, min_face_size="big")
    with pytest.raises(InvalidInput, match="max_side is 0"):
        client_of().detect(picture, max_side=0)


def test_only_the_real_rows_of_a_padded_answer_are_faces(client_of, make_answer, picture):
    padded = make_answer(3)
    padded.outputs["num_faces"][0, 0] = 2
    faces = client_of(padded).detect(picture)
    assert len(faces) == len(faces.probabilities) == len(faces.landmarks) == 2


def test_no_face_is_an_answer_with_zero_rows(client_of, make_answer, picture):
    faces = client_of(make_answer(0)).detect(picture)
    assert len(faces) == 0
    assert faces.boxes.shape == (0, 4)
    assert faces.landmarks.shape == (0, 5, 2)


def test_dropped_candidates_are_reported(client_of, make_answer, picture):
    assert client_of().detect(picture).candidates_dropped == 0
    assert client_of(make_answer(1, candidates_dropped=7)).detect(picture).candidates_dropped == 7


def test_an_answer_without_an_output_is_the_servers_fault(client_of, picture):
    with pytest.raises(ServerError, match=r"'mtcnn' did not return boxes"):
        client_of(Response({})).detect(picture)


def test_unavailable_is_tried_again(client_of, make_answer, picture):
    client = client_of(ServerUnavailable("full"), ServerUnavailable("full"), make_answer(2), retries=2)
    assert len(client.detect(picture)) == 2
    timeouts = client._transport.timeouts
    assert timeouts == sorted(timeouts, reverse=True)
    assert timeouts[0] <= client.timeout


def test_retries_end(client_of, picture):
    client = client_of(ServerUnavailable("full"), retries=3)
    with pytest.raises(ServerUnavailable, match="full"):
        client.detect(picture)
    assert len(client._transport.requests) == 4


def test_retries_stay_within_the_timeout(make_transport, picture):
    client = FaceClient(transport=make_transport(ServerUnavailable("full")), retries=1000, timeout=0.3)
    started = time.monotonic()
    with pytest.raises(ServerUnavailable):
        client.detect(picture)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("error", [InvalidInput, DeadlineExceeded, Cancelled, ServerError])
def test_nothing_else_is_tried_again(error, client_of, picture):
    client = client_of(error("no"), retries=5)
    with pytest.raises(error):
        client.detect(picture)
    assert len(client._transport.requests) == 1


def test_backoff_doubles_to_a_limit_and_varies():
    for attempt in range(12):
        longest = min(2.0, 0.1 * 2**attempt)
        delays = [face_client.retry.backoff(attempt) for _ in range(50)]
        assert longest / 2 <= min(delays) < max(delays) <= longest


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("StatusCode.INVALID_ARGUMENT", InvalidInput),
        ("UNAVAILABLE", ServerUnavailable),
        ("StatusCode.DEADLINE_EXCEEDED", DeadlineExceeded),
        ("StatusCode.CANCELLED", Cancelled),
        ("StatusCode.INTERNAL", ServerError),
        ("StatusCode.SOMETHING_NEW", ServerError),
        (None, ServerError),
    ],
)
def test_status_to_error(status, kind):
    error = error_from_status(status, "why")
    assert type(error) is kind
    assert str(error) == "why"


def test_the_ensemble_that_a_step_failed_in_is_not_part_of_the_sentence():
    error = error_from_status("INVALID_ARGUMENT", "in ensemble 'face_recognition', factor is 7, must be at most 0.9")
    assert str(error) == "factor is 7, must be at most 0.9"
    assert str(error_from_status("INTERNAL", "lost in ensemble 'x', y")) == "lost in ensemble 'x', y"


def test_a_refusal_that_another_request_of_the_batch_has_earned():
    words = "incomplete string data for inference input 'encoded_image', expecting string of length 5 but only 3 bytes"
    for message in (words, f"in ensemble 'face_recognition', {words}"):
        error = error_from_status("INVALID_ARGUMENT", message)
        assert type(error) is ServerUnavailable
        assert str(error) == f"another request in the same batch was malformed: {words}"
    assert type(error_from_status("INVALID_ARGUMENT", f"selection is '{words}'")) is InvalidInput


def images_of_widths(widths):
    return (np.zeros((5, width, 3), np.uint8) for width in widths)


def test_a_batch_keeps_its_order_whatever_the_answers_take(client_of, make_answer):
    def reply(request):
        width = request.inputs["image"].shape[2]
        time.sleep(0.02 if width % 3 == 0 else 0)
        return make_answer(width % 5)

    client = client_of(reply)
    answers = list(client.detect_batch(images_of_widths(range(1, 41)), in_flight=8))
    assert [faces.width for faces in answers] == list(range(1, 41))
    assert [len(faces) for faces in answers] == [width % 5 for width in range(1, 41)]


def test_a_batch_keeps_so_many_in_flight_and_no_more(client_of, make_answer):
    gate = threading.Barrier(4, timeout=5)
    lock, open_now, most = threading.Lock(), [0], [0]

    def reply(_request):
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        gate.wait()
        with lock:
            open_now[0] -= 1
        return make_answer()

    assert len(list(client_of(reply).detect_batch(images_of_widths(range(1, 13)), in_flight=4))) == 12
    assert most[0] == 4


def test_images_are_taken_from_a_generator_as_there_is_room(client_of):
    taken = []

    def endless():
        for width in iter(lambda: len(taken) + 1, 0):
            taken.append(width)
            yield np.zeros((5, width, 3), np.uint8)

    answers = client_of().detect_batch(endless(), in_flight=3)
    assert [next(answers).width for _ in range(5)] == [1, 2, 3, 4, 5]
    answers.close()
    assert len(taken) <= 5 + 3


def test_a_bad_image_in_a_batch(client_of, picture):
    images = [picture, b"no image", "does-not-exist.jpg", picture]
    answers = list(client_of().detect_batch(images, on_error="return"))
    assert [type(answer) for answer in answers] == [Faces, InvalidImage, FileNotFoundError, Faces]
    raising = client_of().detect_batch(images)
    assert len(next(raising)) == 1
    with pytest.raises(InvalidImage):
        next(raising)


def test_wrong_arguments_of_a_batch_are_refused_at_once(client_of):
    with pytest.raises(InvalidInput, match="in_flight is 0"):
        client_of().detect_batch([], in_flight=0)
    with pytest.raises(TypeError, match="nose"):
        client_of().detect_batch([], nose=1)


def test_waiting_for_a_server(client_of):
    client = client_of()
    client.wait_ready(timeout=0.1)
    client._transport.ready = False
    assert not client.is_ready()
    with pytest.raises(ServerUnavailable, match=r"'mtcnn' at 127.0.0.1:8001 was not ready within 0.1 s"):
        client.wait_ready(timeout=0.1)


def test_closing(client_of):
    with client_of() as client:
        pass
    assert client._transport.closed
