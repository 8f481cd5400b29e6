"""AsyncGrpcTransport over a real gRPC connection: kinds of errors, and calls that nobody wants any more."""

import asyncio
import threading

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from face_client import AsyncFaceClient, Cancelled, DeadlineExceeded, InvalidInput, ServerUnavailable
from tests.client.small_server import start_server


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Refuses pictures where max_faces is 1; holds all others until the client gives them up."""

    def __init__(self):
        self.called, self.given_up = threading.Event(), threading.Event()

    def ModelReady(self, request, _context):  # noqa: N802 the protocol's
        return service_pb2.ModelReadyResponse(ready=request.name == "mtcnn")

    def ModelInfer(self, request, context):  # noqa: N802 the protocol's
        if request.parameters["max_faces"].int64_param == 1:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "max_faces is 1; it must be another")
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


def test_errors_have_their_kind(served, picture):
    async def run():
        async with AsyncFaceClient(served[0]) as client:
            assert await client.is_ready()
            assert not await client.is_ready("another")
            with pytest.raises(InvalidInput, match="max_faces is 1") as raised:
                await client.detect(picture, max_faces=1)
            assert raised.value.request_id
            client.timeout = 0.3
            with pytest.raises(DeadlineExceeded):
                await client.detect(picture)

    asyncio.run(run())


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


def test_no_server(picture):
    async def run():
        async with AsyncFaceClient("127.0.0.1:1", retries=0) as client:
            assert not await client.is_ready()
            with pytest.raises(ServerUnavailable):
                await client.detect(picture)

    asyncio.run(run())
