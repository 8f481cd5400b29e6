"""A stream to the real server: the models are neither decoupled nor made for streams, and answer in order."""

import asyncio

import numpy as np
import pytest

from face_client import AsyncFaceClient, Faces, InvalidInput
from face_client.messages import faces_from, prepare, recognition_request
from face_client.transport import GrpcTransport
from tests.e2e.test_batching import assert_same
from tests.pictures import DATA, astronaut, mixed_sizes

# A PNG's start, and nothing behind it: the client reads the size, the server finds no pixels.
CUT_OFF = (DATA / "astronaut.png").read_bytes()[:2000]


def streamed(triton, frames, **options):
    async def run():
        async with AsyncFaceClient(triton.grpc_url, timeout=120) as client:
            return [answer async for answer in client.stream(frames, **options)]

    return asyncio.run(run())


def test_a_stream_equals_single_calls(triton, client):
    frames = mixed_sizes(12)
    expected = [client.detect(frame) for frame in frames]
    for answers in (list(client.stream(frames, in_flight=5)), streamed(triton, frames, in_flight=5)):
        assert len(answers) == len(frames)
        for faces, single in zip(answers, expected, strict=True):
            assert_same(faces, single)


def test_files_crops_and_options(client):
    (faces,) = client.stream([DATA / "astronaut.png"], crops=True, max_side=400, min_face_size=60, image_size=64)
    single = client.detect(DATA / "astronaut.png", crops=True, max_side=400, min_face_size=60, image_size=64)
    assert_same(faces, single)
    np.testing.assert_array_equal(faces.crops, single.crops)


def test_a_bad_frame_has_the_error_of_a_single_call(triton, client):
    frames = [astronaut(), CUT_OFF, astronaut(), CUT_OFF]
    with pytest.raises(InvalidInput) as single:
        client.detect(CUT_OFF)
    for answers in (list(client.stream(frames, on_error="return")), streamed(triton, frames, on_error="return")):
        assert [isinstance(answer, Faces) for answer in answers] == [True, False, True, False]
        assert type(answers[1]) is type(answers[3]) is type(single.value)
        assert str(answers[1]) == str(single.value)
    with pytest.raises(InvalidInput, match="min_face_size"):
        list(client.stream(frames, min_face_size=-1.0))


def test_an_ensemble_answers_over_a_stream(triton, client):
    prepared = prepare(astronaut(), None)
    transport = GrpcTransport(triton.grpc_url)
    stream = transport.open_stream()
    try:
        request = recognition_request("face_recognition", prepared, {}, False)
        faces = faces_from(request, stream.infer(request, 120), prepared)
    finally:
        stream.close()
        transport.close()
    np.testing.assert_allclose(faces.embeddings, client.recognize(astronaut()).embeddings, atol=1e-5)
