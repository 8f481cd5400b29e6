"""The async client against the real server: what it answers is what the sync client answers."""

import asyncio

import numpy as np
import pytest

from face_client import AsyncFaceClient, Faces, InvalidImage, InvalidInput
from tests.e2e.test_batching import assert_same
from tests.pictures import DATA, astronaut, mixed_sizes


@pytest.fixture
def run(triton):
    """run(function): await function(client) in a loop of its own."""

    def in_loop(function):
        async def with_client():
            async with AsyncFaceClient(triton.grpc_url, timeout=120) as client:
                await client.wait_ready()
                return await function(client)

        return asyncio.run(with_client())

    return in_loop


def test_detection_equals_the_sync_clients(run, client):
    pictures = mixed_sizes(12)

    async def batch(asynchronous):
        return [faces async for faces in asynchronous.detect_batch(pictures, in_flight=6)]

    answers = run(batch)
    assert len(answers) == len(pictures)
    for faces, expected in zip(answers, client.detect_batch(pictures), strict=True):
        assert_same(faces, expected)


def test_recognition_equals_the_sync_clients(run, client):
    path = DATA / "astronaut.png"

    async def everything(asynchronous):
        faces = await asynchronous.recognize(path, crops=True)
        return (
            faces,
            await asynchronous.embed(faces.crops),
            await asynchronous.classify(faces.crops),
            await asynchronous.compare(path, astronaut(), random_weights=True),
            await asynchronous.weights(),
        )

    faces, embeddings, logits, comparison, weights = run(everything)
    expected = client.recognize(path, crops=True)
    assert_same(faces, expected)
    np.testing.assert_array_equal(faces.crops, expected.crops)
    np.testing.assert_allclose(faces.embeddings, expected.embeddings, atol=1e-5)
    np.testing.assert_allclose(embeddings, client.embed(expected.crops), atol=1e-5)
    np.testing.assert_allclose(logits, client.classify(expected.crops), atol=1e-4)
    assert comparison.same
    assert weights == faces.weights == client.weights()


def test_errors_are_the_sync_clients(run):
    async def batch(asynchronous):
        images = [astronaut(), b"no picture", astronaut()]
        with pytest.raises(InvalidInput, match="min_face_size"):
            await asynchronous.detect(astronaut(), min_face_size=-1.0)
        return [answer async for answer in asynchronous.detect_each(images)]

    answers = run(batch)
    assert [type(answer) for answer in answers] == [Faces, InvalidImage, Faces]
