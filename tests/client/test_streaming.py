"""FaceClient.stream and its async twin over real gRPC streams to a servicer that answers as Triton does."""

import asyncio
import threading
import time

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from face_client import AsyncFaceClient, Cancelled, DeadlineExceeded, FaceClient, Faces, InvalidInput, ServerUnavailable
from tests.client.small_server import answer, free_url, start_server


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Finds as many faces as the picture has rows; refuses those with 13 rows, breaks the stream at 14, waits at 15."""

    def __init__(self):
        self.streams = self.calls = 0
        self.go_on = threading.Event()

    def ModelInfer(self, request, context):  # noqa: N802 the protocol's
        self.calls += 1
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{request.inputs[0].shape[1]} rows are unlucky")

    def ModelStreamInfer(self, requests, context):  # noqa: N802 the protocol's
        self.streams += 1
        for request in requests:
            rows = request.inputs[0].shape[1]
            if rows == 14:
                context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
            if rows == 15:
                self.go_on.wait(30)
            if rows == 13:
                yield service_pb2.ModelStreamInferResponse(error_message="unlucky")
            else:
                yield service_pb2.ModelStreamInferResponse(infer_response=answer(request, rows))


@pytest.fixture
def served():
    """(url, servicer) of a server in this process."""
    servicer = Servicer()
    server, port = start_server(servicer)
    yield f"127.0.0.1:{port}", servicer
    servicer.go_on.set()
    server.stop(0).wait()


def stream(url, frames, **options):
    with FaceClient(url, retries=0, timeout=options.pop("timeout", 30)) as client:
        return list(client.stream(frames, **options))


def stream_async(url, frames, **options):
    async def run():
        async with AsyncFaceClient(url, retries=0, timeout=options.pop("timeout", 30)) as client:
            return [answer async for answer in client.stream(frames, **options)]

    return asyncio.run(run())


both = pytest.mark.parametrize("run", [stream, stream_async])


def frames(*rows):
    return [np.zeros((count, 20, 3), np.uint8) for count in rows]


@both
@pytest.mark.parametrize("in_flight", [1, 3, 16])
def test_answers_come_in_order_over_one_stream(run, in_flight, served):
    url, servicer = served
    rows = np.random.RandomState(0).randint(1, 12, 40).tolist()
    assert [len(faces) for faces in run(url, iter(frames(*rows)), in_flight=in_flight)] == rows
    assert (servicer.streams, servicer.calls) == (1, 0)
    assert run(url, []) == []


@both
def test_a_bad_frame_is_its_own_error_and_the_stream_goes_on(run, served):
    url, servicer = served
    answers = run(url, [*frames(3, 13, 5, 13), b"no picture", *frames(2)], on_error="return", in_flight=4)
    assert [len(a) if isinstance(a, Faces) else type(a).__name__ for a in answers] == [
        3,
        "InvalidInput",
        5,
        "InvalidInput",
        "InvalidImage",
        2,
    ]
    # What it says comes from a call of its own.
    assert str(answers[1]) == "13 rows are unlucky"
    assert answers[1].request_id
    assert (servicer.streams, servicer.calls) == (1, 2)
    with pytest.raises(InvalidInput, match="unlucky"):
        run(url, frames(3, 13, 5))


@both
@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_a_broken_stream_ends_everything(run, on_error, served):
    url, _ = served
    # asyncio's gRPC gives no reason where it was just writing the next request when the stream ended.
    with pytest.raises(ServerUnavailable, match=r"stream to the server broke: (going away|Internal error from Core)"):
        run(url, frames(*[1] * 10, 14, *[2] * 10), on_error=on_error)


@both
def test_no_server(run):
    with pytest.raises(ServerUnavailable, match="stream to the server broke"):
        run(free_url(), frames(1, 2))


@both
def test_a_frame_has_the_timeout_of_a_call(run, served):
    url, servicer = served
    answers = run(url, frames(15, 15), timeout=0.3, on_error="return")
    assert [type(answer) for answer in answers] == [DeadlineExceeded, DeadlineExceeded]
    servicer.go_on.set()


def test_closing_the_client_ends_its_streams(served):
    url, _ = served
    client = FaceClient(url)
    answers = client.stream(frames(1, 15), in_flight=1)
    assert len(next(answers)) == 1
    closer = threading.Timer(0.2, client.close)
    closer.start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        next(answers)
    assert time.monotonic() - start < 20
    closer.join()


def test_stopping_early_ends_the_stream(served):
    url, _ = served
    before = set(threading.enumerate())

    def askers():
        """Whatever other tests have left does not count."""
        return [t.name for t in threading.enumerate() if t not in before and t.name.startswith("faces")]

    with FaceClient(url) as client:
        answers = client.stream(frames(*[1] * 30), in_flight=4)
        assert len(next(answers)) == 1
        assert askers()
        answers.close()
        deadline = time.monotonic() + 20
        while askers() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not askers()


def test_a_cancelled_task_ends_the_stream(served):
    url, _ = served

    async def run():
        async with AsyncFaceClient(url) as client:
            results = []

            async def read():
                async for faces in client.stream(frames(1, 15), in_flight=1):
                    results.append(faces)

            task = asyncio.create_task(read())
            while not results:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())


def test_arguments_are_checked_before_a_stream_is_opened():
    for client in (FaceClient("127.0.0.1:1"), AsyncFaceClient("127.0.0.1:1")):
        with pytest.raises(InvalidInput, match="in_flight is 0"):
            client.stream([], in_flight=0)
        with pytest.raises(TypeError, match="min_face_sise"):
            client.stream([], min_face_sise=3)
