"""Two real Tritons for the end-to-end tests: one as a CPU has it by default, one as a GPU has it."""

import hashlib
import io
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import tritonclient.grpc as grpc
from google.protobuf import text_format
from PIL import Image
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig

from face_cascade import FACENET
from face_client import FaceClient
from face_export.exporter import export_facenet, model_path
from face_export.readers.facenet import random_weights
from face_repository.configurations import refresh
from face_repository.layout import REQUIRED
from face_server import EmbeddedTriton, Settings
from tests.e2e import batches
from tests.export.conftest import CLASSES
from tests.pictures import wall

ROOT = Path(__file__).parents[2]
REPOSITORY = ROOT / "model_repository"

FLOAT_FACENET = "facenet_of_floats"


def own_repository(folder):
    """A model repository of one's own in a new folder, with nothing but version 1, and without FaceNet."""
    ignored = shutil.ignore_patterns("[2-9]", "[1-9][0-9]*", "facenet", ".*", "__pycache__")
    return shutil.copytree(REPOSITORY, folder, ignore=ignored)


def with_one_instance(models):
    """A repository whose cascade has one instance from now on: half of the processes to start."""
    config = models / "mtcnn" / "config.pbtxt"
    one, count = re.subn(r"instance_group \[[^]]*\]", "instance_group [ { count: 1 } ]", config.read_text())
    assert count == 1
    config.write_text(one)
    refresh(models)
    return models


@pytest.fixture(scope="session")
def facenet_file(request):
    """FaceNet's model.pt with random weights: exported by one run and kept for others, until the exporter changes."""
    folder = request.config.cache.mkdir("random_facenet")
    sources = sorted((ROOT / "export" / "face_export").rglob("*.py"))
    exporter = hashlib.sha256(b"".join(path.read_bytes() for path in sources) + torch.__version__.encode())
    made_by = folder / "made_by"
    if not made_by.exists() or made_by.read_text() != exporter.hexdigest():
        export_facenet(random_weights(CLASSES), folder)
        made_by.write_text(exporter.hexdigest())
    return model_path(folder, FACENET.name)


@pytest.fixture(scope="session")
def repository(tmp_path_factory, facenet_file):
    """The model repository with a FaceNet of random weights, whatever has been exported to the real one.

    Both FaceNets, that of bytes and that of floats, are loaded when first asked: most tests need neither.
    """
    folder = tmp_path_factory.mktemp("repository")
    for model in REPOSITORY.iterdir():
        if model.name != FACENET.name:
            (folder / model.name).symlink_to(model)
    config = text_format.Parse((REPOSITORY / FACENET.name / "config.pbtxt").read_text(), ModelConfig())
    config.ClearField("model_warmup")
    for name, pixels in ((FACENET.name, DataType.TYPE_UINT8), (FLOAT_FACENET, DataType.TYPE_FP32)):
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "1" / "model.pt").symlink_to(facenet_file)
        config.name, config.input[0].data_type = name, pixels
        (folder / name / "config.pbtxt").write_text(text_format.MessageToString(config))
    return folder


MODELS = (*REQUIRED, FACENET.name, FLOAT_FACENET)


@pytest.fixture(scope="session")
def triton(repository):
    """The cascade's networks compiled in its own processes: what a CPU has by default, and nearly every test asks."""
    with EmbeddedTriton(repository, Settings(networks="local", models=MODELS)) as server:
        yield server


@pytest.fixture(scope="session")
def bls(repository):
    """The cascade's networks as models of their own, which gather batches of all callers: what a GPU has by default."""
    with EmbeddedTriton(repository, Settings(networks="bls", models=MODELS)) as server:
        yield server


@pytest.fixture(scope="session")
def client(triton):
    # FaceNet on many faces takes its time on a busy machine.
    with FaceClient(triton.grpc_url, timeout=120) as client:
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
    Image.fromarray(np.tile(wall(), (4, 4, 1))).save(picture, "JPEG")
    return picture.getvalue()


@pytest.fixture(scope="session")
def instances(grpc_client):
    """How many instances of the cascade take batches side by side."""
    return sum(group.count for group in grpc_client.get_model_config("mtcnn").config.instance_group)


@pytest.fixture(scope="session")
def batch_source(tmp_path_factory):
    """Pictures for `faces batch`; nobody may change them."""
    return batches.generate(tmp_path_factory.mktemp("source"), batches.PICTURES)


@pytest.fixture(scope="session")
def undisturbed(batch_source, tmp_path_factory):
    """The target of a run over them."""
    target = tmp_path_factory.mktemp("undisturbed")
    told = batches.run(batch_source, target, "--shard-size", batches.SHARD_SIZE)
    assert f"{batches.PICTURES} pictures" in told
    return target


@contextmanager
def at_work(client, picture, instances):
    """Every instance of the cascade is at work on a large picture, so that what comes next gathers in its queue."""
    with ThreadPoolExecutor(instances) as pool:
        answers = []
        for _ in range(instances):
            answers.append(pool.submit(client.detect, picture))
            # Time for the request to leave the queue, alone.
            time.sleep(0.3)
        yield
        assert all(len(faces.result()) > 90 for faces in answers)


@pytest.fixture
def busy(client, large_picture, instances):
    """Makes a context in which the server is at work."""
    return partial(at_work, client, large_picture, instances)
