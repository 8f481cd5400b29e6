"""A server whose machine code cannot be kept; all others here take what an earlier one left."""

import numpy as np

from face_cascade.code_cache import VARIABLE
from face_client import FaceClient
from face_server import EmbeddedTriton, Settings
from tests.e2e.conftest import own_repository, with_one_instance
from tests.pictures import wall


def test_without_a_folder_it_compiles_says_so_and_answers_the_same(client, tmp_path, monkeypatch):
    folder = tmp_path / "code"
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setenv(VARIABLE, str(folder))
    models = with_one_instance(own_repository(tmp_path / "models"))
    with EmbeddedTriton(models, Settings()) as server, FaceClient(server.grpc_url, timeout=120) as other:
        faces = other.detect(wall())
        # `slower` is a line of the log, in which the sentence is quoted.
        [said] = [line for line in server.log_lines if "mtcnn: slower" in line]
    assert f"machine code is not kept: {folder} cannot be used: it can be written by others (mode 777)" in said
    assert not list(folder.iterdir())
    wanted = client.detect(wall())
    assert len(wanted) > 0
    for name in ("boxes", "landmarks", "probabilities"):
        np.testing.assert_array_equal(getattr(faces, name), getattr(wanted, name))
