"""A full queue refuses at once, where the queue is bounded."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from face_client import FaceClient, ServerUnavailable
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
    assert isinstance(refused[0].__cause__, InferenceServerException)
    answered = [answer.result() for answer in asked if not answer.exception()]
    assert len(answered) >= 128
    assert {len(faces) for faces in answered} == {expected}


def test_retries_wait_until_there_is_room(bounded):
    picture = np.ascontiguousarray(wall()[:300, :400])
    with FaceClient(bounded.grpc_url, retries=20, timeout=60) as client:
        found = list(client.detect_batch([picture] * 250, in_flight=200))
    assert len({len(faces) for faces in found}) == 1
