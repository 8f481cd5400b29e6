"""One real Triton for all end-to-end tests, networks as models of their own."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpc
from PIL import Image

from face_client import FaceClient
from face_server import EmbeddedTriton, Settings
from tests.pictures import wall

REPOSITORY = Path(__file__).parents[2] / "model_repository"


@pytest.fixture(scope="session")
def triton():
    with EmbeddedTriton(REPOSITORY, Settings(networks="bls")) as server:
        yield server


@pytest.fixture(scope="session")
def client(triton):
    with FaceClient(triton.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def grpc_client(triton):
    """tritonclient itself, for what FaceClient would never send."""
    with grpc.InferenceServerClient(triton.grpc_url) as client:
        yield client


@pytest.fixture(scope="session")
def large_picture():
    """A JPEG that keeps the cascade at work for a second or more."""
    picture = io.BytesIO()
    Image.fromarray(np.tile(wall(), (3, 3, 1))).save(picture, "JPEG")
    return picture.getvalue()


@pytest.fixture
def busy(client, large_picture):
    """A context in which the cascade is at work, so that what comes next gathers in its queue."""

    @contextmanager
    def at_work():
        with ThreadPoolExecutor(1) as pool:
            faces = pool.submit(client.detect, large_picture)
            # Time for the request to leave the queue.
            time.sleep(0.4)
            yield
            assert len(faces.result()) > 90

    return at_work
