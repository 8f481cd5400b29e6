"""AsyncFaceClient against a transport that does what a real server cannot be made to do; the rest is FaceClient's."""

import asyncio

import numpy as np
import pytest

import face_client.retry
from face_client import (
    AsyncFaceClient,
    DeadlineExceeded,
    FaceClient,
    InvalidImage,
    InvalidInput,
    NoFace,
    ServerUnavailable,
)
from face_client.messages import Response


class AsyncFake:
    """The fake transport of the sync client, each answer after `delay` seconds."""

    def __init__(self, fake, delay=0.0):
        self.fake, self.delay = fake, delay
        self.open = self.most = self.given_up = 0

    async def infer(self, request, timeout):
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(self.delay)
            return self.fake.infer(request, timeout)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.open -= 1

    async def is_ready(self, model, timeout):
        return self.fake.is_ready(model, timeout)

    async def close(self):
        self.fake.close()


@pytest.fixture
def client_of(make_transport, monkeypatch):
    monkeypatch.setattr(face_client.retry, "_FIRST_DELAY_S", 0.001)

    def make(*replies, delay=0.0, **options):
        return AsyncFaceClient(transport=AsyncFake(make_transport(*replies), delay), **options)

    return make


def sent(client):
    return client._transport.fake.requests


async def collect(results):
    return [result async for result in results]


def test_requests_and_faces_are_those_of_the_sync_client(client_of, make_transport, picture, encode, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(picture, "PNG"))
    twin = FaceClient(transport=make_transport())
    for image in (path, picture, path.read_bytes()):
        for name in ("detect", "recognize"):
            client = client_of()
            faces = asyncio.run(getattr(client, name)(image, crops=True, max_side=20, margin=3))
            expected = getattr(twin, name)(image, crops=True, max_side=20, margin=3)
            (request,), expected_request = sent(client), twin._transport.requests[-1]
            assert (request.model, request.outputs, request.parameters) == (
                expected_request.model,
                expected_request.outputs,
                expected_request.parameters,
            )
            assert request.inputs.keys() == expected_request.inputs.keys()
            for tensor in request.inputs:
                np.testing.assert_array_equal(request.inputs[tensor], expected_request.inputs[tensor])
            np.testing.assert_array_equal(faces.boxes, expected.boxes)
            assert (faces.width, faces.height) == (expected.width, expected.height) == (40, 30)


def test_a_batch_is_in_order_and_bounded(client_of, make_answer, picture):
    client = client_of(lambda request: make_answer(request.inputs["image"].shape[1]), delay=0.005)
    pictures = [picture[:height] for height in (5, 1, 3, 2, 4, 6, 1)]
    answers = asyncio.run(collect(client.detect_batch(pictures, in_flight=3)))
    assert [len(faces) for faces in answers] == [5, 1, 3, 2, 4, 6, 1]
    assert client._transport.most == 3


def test_what_fails_raises_or_is_returned_in_its_place(client_of, picture, tmp_path):
    images = [picture, b"no picture", tmp_path / "absent.png", picture]
    answers = asyncio.run(collect(client_of().detect_batch(images, on_error="return")))
    assert [type(answer).__name__ for answer in answers] == ["Faces", "InvalidImage", "FileNotFoundError", "Faces"]
    with pytest.raises(InvalidImage):
        asyncio.run(collect(client_of().detect_batch(images)))


def test_arguments_are_checked(client_of, picture):
    with pytest.raises(InvalidInput, match="in_flight is 0"):
        client_of().detect_batch([picture], in_flight=0)
    with pytest.raises(TypeError, match="min_face_sise"):
        asyncio.run(client_of().detect(picture, min_face_sise=3))
    with pytest.raises(InvalidInput, match="without a scheme"):
        AsyncFaceClient("http://localhost:8001")


def test_unavailable_is_tried_again_as_the_same_request(client_of, make_answer, picture):
    client = client_of(ServerUnavailable("full"), ServerUnavailable("full"), make_answer(2), retries=2)
    assert len(asyncio.run(client.detect(picture))) == 2
    assert len({request.id for request in sent(client)}) == 1
    assert len(sent(client)) == 3


def test_retries_end(client_of, picture):
    client = client_of(ServerUnavailable("full"), retries=3)
    with pytest.raises(ServerUnavailable, match="full") as raised:
        asyncio.run(client.detect(picture))
    assert len(sent(client)) == 4
    assert raised.value.request_id == sent(client)[0].id


def test_retries_stay_within_the_timeout(client_of, picture, monkeypatch):
    monkeypatch.setattr(face_client.retry, "_FIRST_DELAY_S", 60)
    client = client_of(ServerUnavailable("full"), timeout=0.9)
    with pytest.raises(ServerUnavailable):
        asyncio.run(client.detect(picture))
    assert len(sent(client)) == 1
    with pytest.raises(DeadlineExceeded):
        asyncio.run(client_of(timeout=0).detect(picture))


def test_other_errors_are_not_tried_again(client_of, picture):
    client = client_of(InvalidInput("no"))
    with pytest.raises(InvalidInput, match="no"):
        asyncio.run(client.detect(picture))
    assert len(sent(client)) == 1


def test_a_cancelled_task_gives_its_requests_up(client_of, picture):
    async def run(client):
        task = asyncio.create_task(collect(client.detect_batch([picture] * 9, in_flight=4)))
        while client._transport.open < 4:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    client = client_of(delay=60)
    asyncio.run(run(client))
    assert client._transport.given_up == 4
    assert client._transport.open == 0


def test_crops_are_sent_in_portions(client_of):
    def reply(request):
        (crops,) = request.inputs.values()
        rows = np.zeros((len(crops), 512), np.float32)
        rows[:, 0] = crops[:, 0, 0, 0]
        return Response({"embeddings__0": rows, "logits__1": rows[:, :0]})

    crops = np.zeros((130, 160, 160, 3), np.uint8)
    crops[:, 0, 0, 0] = range(130)
    client = client_of(reply)
    assert asyncio.run(client.embed(crops))[:, 0].tolist() == list(range(130))
    assert len(sent(client)) == 3
    assert asyncio.run(client.embed([])).shape == (0, 512)
    with pytest.raises(ServerUnavailable, match="no classifier"):
        asyncio.run(client.classify(crops))


def test_compare(client_of, make_answer, picture):
    comparison = asyncio.run(client_of().compare(picture, picture))
    assert comparison.same
    with pytest.raises(NoFace, match="second"):
        asyncio.run(client_of(make_answer(1), make_answer(0)).compare(picture, picture))


def test_readiness_and_the_end(client_of):
    async def run():
        async with client_of() as client:
            assert await client.is_ready()
            await client.wait_ready()
            client._transport.fake.ready = False
            with pytest.raises(ServerUnavailable, match=r"'mtcnn'.* was not ready within 0 s"):
                await client.wait_ready(0)
        assert client._transport.fake.closed

    asyncio.run(run())
