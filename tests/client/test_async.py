"""What only AsyncFaceClient has: tasks that are cancelled, and answers beside those of the other twin."""

import asyncio
import threading

import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from face_client import AsyncFaceClient, Cancelled, FaceClient, InvalidInput
from tests.client.small_server import SmallServer, start_server
from tests.client.twins import AsyncFake


async def collect(results):
    return [result async for result in results]


def test_requests_and_faces_are_those_of_the_sync_client(make_transport, picture, encode, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode(picture, "PNG"))
    twin = FaceClient(transport=make_transport())
    for image in (path, picture, path.read_bytes()):
        for name in ("detect", "recognize"):
            fake = make_transport()
            client = AsyncFaceClient(transport=AsyncFake(fake))
            faces = asyncio.run(getattr(client, name)(image, crops=True, max_side=20, margin=3))
            expected = getattr(twin, name)(image, crops=True, max_side=20, margin=3)
            (request,), expected_request = fake.requests, twin._transport.requests[-1]
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


class Open:
    """A transport that never answers, and counts the calls that are open and those that were given up."""

    def __init__(self):
        self.open = self.given_up = 0

    async def infer(self, _request, _timeout):
        self.open += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        finally:
            self.open -= 1


def test_a_cancelled_task_gives_its_requests_up(picture):
    async def run(client):
        task = asyncio.create_task(collect(client.detect_batch([picture] * 9, in_flight=4)))
        while client._transport.open < 4:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    client = AsyncFaceClient(transport=Open())
    asyncio.run(run(client))
    assert client._transport.given_up == 4
    assert client._transport.open == 0


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Holds all pictures until the client gives them up."""

    def __init__(self):
        self.called, self.given_up = threading.Event(), threading.Event()

    def ModelInfer(self, _request, context):  # noqa: N802 the protocol's
        context.add_callback(self.given_up.set)
        self.called.set()
        self.given_up.wait(30)
        return service_pb2.ModelInferResponse()


@pytest.fixture
def served():
    """(url, servicer) of a server in this process."""
    servicer = Servicer()
    server, port = start_server(servicer, workers=4)
    yield f"127.0.0.1:{port}", servicer
    server.stop(0).wait()


def test_a_cancelled_task_cancels_the_call_on_the_server(served, picture):
    url, servicer = served

    async def run():
        async with AsyncFaceClient(url) as client:
            task = asyncio.create_task(client.detect(picture))
            assert await asyncio.to_thread(servicer.called.wait, 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(servicer.given_up.wait, 20)

    asyncio.run(run())


def test_closing_gives_up_open_calls(served, picture):
    url, servicer = served

    async def run():
        client = AsyncFaceClient(url)
        task = asyncio.create_task(client.detect(picture))
        assert await asyncio.to_thread(servicer.called.wait, 20)
        await client.close()
        with pytest.raises(Cancelled):
            await task
        with pytest.raises(Cancelled):
            await client.detect(picture)

    asyncio.run(run())


def test_a_task_that_is_cancelled_is_cancelled_though_the_client_was_closed_too(served, picture):
    """The error of a closed client would let it go on."""
    url, servicer = served

    async def run():
        client = AsyncFaceClient(url)
        task = asyncio.create_task(client.detect(picture))
        assert await asyncio.to_thread(servicer.called.wait, 20)
        task.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_a_client_made_before_the_event_loop(make_transport, picture):
    client = AsyncFaceClient(transport=AsyncFake(make_transport()))
    assert len(asyncio.run(client.detect(picture))) == 1


def test_one_event_loop_after_the_other(picture):
    server = SmallServer()
    client = AsyncFaceClient(server.url)
    for _ in range(3):
        assert len(asyncio.run(client.detect(picture))) == len(picture)
    server.stop()


def test_two_event_loops_at_a_time_need_two_clients(picture):
    server = SmallServer()
    client = AsyncFaceClient(server.url)

    def elsewhere():
        with pytest.raises(InvalidInput, match="one event loop at a time"):
            asyncio.run(client.detect(picture))

    async def run():
        await client.detect(picture)
        await asyncio.to_thread(elsewhere)
        await client.close()

    asyncio.run(run())
    server.stop()
