"""A full queue refuses at once, where the queue is bounded."""

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from face_client import FaceClient, ServerUnavailable
from face_repository.configurations import BOUNDED_QUEUE
from face_server import EmbeddedTriton, Settings
from tests.e2e.conftest import REPOSITORY
from tests.pictures import wall


@pytest.fixture(scope="module")
def bounded():
    with EmbeddedTriton(REPOSITORY, Settings(bounded_queue=True, networks="local")) as server:
        yield server


def test_requests_beyond_the_bound_hear_unavailable_and_the_others_are_answered(bounded):
    picture = np.ascontiguousarray(wall()[:300, :400])
    with FaceClient(bounded.grpc_url, retries=0) as client, ThreadPoolExecutor(300) as pool:
        expected = len(client.detect(picture))
        asked = [pool.submit(client.detect, picture) for _ in range(300)]
        errors = [answer.exception() for answer in asked]
    refused = [error for error in errors if error]
    assert refused
    assert all(isinstance(error, ServerUnavailable) for error in refused)
    assert refused[0].__cause__.code() is grpc.StatusCode.UNAVAILABLE
    answered = [answer.result() for answer in asked if not answer.exception()]
    assert len(answered) >= BOUNDED_QUEUE
    assert {len(faces) for faces in answered} == {expected}


def test_retries_wait_until_there_is_room(bounded):
    """Within the client's budget, ten at once: more would multiply the overload."""
    picture = np.ascontiguousarray(wall()[:300, :400])
    with (
        FaceClient(bounded.grpc_url, retries=0) as crowd,
        FaceClient(bounded.grpc_url, retries=9, timeout=60) as patient,
        ThreadPoolExecutor(300) as pool,
    ):
        expected = len(patient.detect(picture))
        asked = [pool.submit(crowd.detect, picture) for _ in range(300)]
        # The crowd is larger than the queue: some of it has been refused, so there is no room now.
        while not any(answer.done() and answer.exception() for answer in asked):
            time.sleep(0.001)
        assert len(patient.detect(picture)) == expected
