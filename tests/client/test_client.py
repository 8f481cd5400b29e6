"""Both clients against a transport that does what a real server cannot be made to do."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

import face_client.retry
from face_client import (
    Cancelled,
    DeadlineExceeded,
    Faces,
    InvalidImage,
    InvalidInput,
    ModelNotLoaded,
    ServerError,
    ServerUnavailable,
    TooManyPixels,
)
from face_client.canary import ask_canary
from face_client.errors import error_from_status
from face_client.messages import Response


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


def test_angles_come_only_with_rotations(client_of, picture):
    client = client_of()
    assert client.detect(picture, rotations=True).angles.tolist() == [90]
    assert (sent(client).parameters, "angles" in sent(client).outputs) == ({"rotations": True}, True)
    for options in ({}, {"rotations": False}):
        client = client_of()
        assert client.detect(picture, **options).angles is None
        assert "angles" not in sent(client).outputs


def test_boxes_cut_in_a_smaller_picture_are_cut_in_the_callers(client_of, make_answer):
    """Scaled up in float32, a border lies beyond the picture."""
    response = make_answer(1)
    response.outputs["boxes"][:] = [0, 0, 26, 1]
    wide = np.zeros((10, 1000, 3), np.uint8)
    assert client_of(response).detect(wide, max_side=26, clip=True).boxes[0, 2] == 1000
    assert client_of(response).detect(wide, max_side=26).boxes[0, 2] > 1000


def test_times_come_only_when_asked_for(client_of, make_answer, picture):
    told = make_answer(1)
    told.outputs["timing"] = np.array([[b'{"pnet": 0.0104, "images": 3}']], np.object_)
    client = client_of(make_answer(1), told)
    assert client.detect(picture).timing is None
    assert client.detect(picture, timing=True).timing == {"pnet": 0.0104, "images": 3}
    assert client.recognize(picture, timing=True, max_side=20).timing == {"pnet": 0.0104, "images": 3}
    for name in ("detect_batch", "detect_each", "recognize_batch", "recognize_each"):
        (faces,) = getattr(client, name)([picture], timing=True)
        assert faces.timing["images"] == 3
    asked = [request.outputs[-1] == "timing" for request in client._transport.requests]
    assert asked == [False, *[True] * 6]
    assert "timing" not in faces.to_dict()


@pytest.mark.parametrize("text", [b"", b"[]", b'{"pnet": null}', b"\xff", b'{"pnet": "fast"}'])
def test_what_no_server_says_of_its_time(client_of, make_answer, picture, text):
    told = make_answer(1)
    told.outputs["timing"] = np.array([[text]], np.object_)
    with pytest.raises(ServerError, match="the server says of its time"):
        client_of(told).detect(picture, timing=True)


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
        np.zeros((4, 4, 5), np.uint8),
        np.zeros((3, 5, 5), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
        [[1, 2], [3, 4]],
        None,
    ],
)
def test_wrong_images_are_refused_before_anything_is_sent(image, client_of):
    client = client_of()
    with pytest.raises(InvalidInput, match=r"^image is "):
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


def test_retries_stay_within_the_timeout(twin, make_transport, picture):
    client = twin(transport=make_transport(ServerUnavailable("full")), retries=1000, timeout=0.3)
    started = time.monotonic()
    with pytest.raises(ServerUnavailable):
        client.detect(picture)
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("error", [InvalidInput, DeadlineExceeded, Cancelled, ServerError, ModelNotLoaded])
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
    answers = list(client_of().detect_each(images))
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


def test_closing_ends_a_pause_between_two_attempts(client_of, picture, monkeypatch):
    """Nobody waits for the answer any more; it is not the server that is to blame."""
    monkeypatch.setattr(face_client.retry, "_FIRST_DELAY_S", 60)
    client = client_of(ServerUnavailable("full"), timeout=1000)
    client.close_soon(0.1)
    started = time.monotonic()
    with pytest.raises(Cancelled) as raised:
        client.detect(picture)
    assert time.monotonic() - started < 20
    assert raised.value.request_id == client._transport.requests[0].id


def test_closing_ends_the_waiting_for_a_server(client_of):
    client = client_of()
    client._transport.ready = False
    client.close_soon(0.1)
    with pytest.raises(Cancelled):
        client.wait_ready(timeout=60)


@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), -1, "30", True])
def test_a_timeout_that_cannot_be_is_refused_at_once(timeout, client_of):
    with pytest.raises(InvalidInput, match=r"^timeout is .*; it must be a number of seconds, at least 0, or None"):
        client_of(timeout=timeout)
    with pytest.raises(InvalidInput, match=r"^timeout is "):
        client_of().wait_ready(timeout)


def test_no_timeout_is_no_limit(client_of, picture):
    client = client_of(timeout=None)
    assert client.is_ready()
    assert len(client.detect(picture)) == 1
    assert client._transport.timeouts[-1] == float("inf")
    client.wait_ready(None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", None),
        ("recognizer", ""),
        ("embedder", 3),
        ("tls", True),
        ("tls", "ca.pem"),
        ("retry_budget", 0.1),
        ("url", 8001),
        ("url", b"a:1"),
        ("url", ["a:1", None]),
    ],
)
def test_other_arguments_that_cannot_be_are_refused_at_once(field, value, twin):
    with pytest.raises(InvalidInput, match=rf"^{field} is "):
        twin(**{field: value})


@pytest.mark.parametrize("threshold", [None, float("nan"), -1])
def test_a_distance_that_cannot_be(threshold, client_of, picture):
    with pytest.raises(InvalidInput, match=r"^threshold is "):
        client_of().compare(picture, picture, threshold=threshold)


def test_no_url_is_the_default(twin):
    assert twin(None).url == twin().url


@pytest.mark.parametrize("retries", [None, -1, 1.5, float("nan")])
def test_retries_that_are_none_are_refused_at_once(retries, client_of):
    with pytest.raises(InvalidInput, match=r"^retries is .*; it must be a whole number, at least 0"):
        client_of(retries=retries)


def test_time_that_is_up_before_anything_is_sent(client_of, picture):
    client = client_of(timeout=0)
    with pytest.raises(DeadlineExceeded):
        client.detect(picture)
    assert client._transport.requests == []


def test_the_server_says_how_large_a_file_is(client_of, make_answer, picture, encode):
    """Its header is not read here: of this one nothing can be."""
    answered = make_answer(1)
    answered.outputs["picture_size"] = np.array([[4000, 3000]], np.int32)
    faces = client_of(answered).detect(encode(picture, "PNG")[:20])
    assert (faces.width, faces.height) == (4000, 3000)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (InvalidImage, "encoded_image is damaged or truncated: the pixels of this PNG file cannot be read"),
        (TooManyPixels, "encoded_image has 20000x20000 = 400000000 pixels; at most 50000000 are allowed"),
    ],
)
def test_what_the_server_cannot_read_is_what_this_process_cannot(kind, words, client_of, picture, encode):
    """This process reads a file where it is to be shrunk, larger ones too, else the server does."""
    data = b"P6 20000 20000 255\n" if kind is TooManyPixels else encode(picture, "PNG")[:80]
    for max_side, replies in ((None, [error_from_status("INVALID_ARGUMENT", words)]), (1, [])):
        client = client_of(*replies)
        with pytest.raises(InvalidImage) as raised:
            client.detect(data, max_side=max_side)
        assert type(raised.value) is kind
        assert str(raised.value) == (words if max_side is None else words.replace("most 5", "most 25"))
        assert len(client._transport.requests) == len(replies)


@pytest.mark.parametrize("max_side", [0, -1, float("nan"), float("inf"), "100", True])
def test_a_max_side_that_is_none_is_refused_at_once(max_side, client_of, picture):
    for ask in (client_of().detect, client_of().recognize):
        with pytest.raises(InvalidInput, match=r"^max_side is .*; it must be a number, at least 1"):
            ask(picture, max_side=max_side)
    with pytest.raises(InvalidInput, match=r"^max_side is "):
        client_of().detect_batch([picture], max_side=max_side)


def test_a_canary_can_be_told_from_callers(client_of, picture):
    client = client_of()
    ask_canary(client)
    client.detect(picture)
    assert [request.id.startswith("canary-") for request in client._transport.requests] == [True, False]
