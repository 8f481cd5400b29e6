"""The examples of the REST API in gateway/examples find what the Python client finds, and say what went wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_gateway.keys import add_key
from tests.e2e.gateway.paged import Paged
from tests.pictures import wall

EXAMPLES = Path(__file__).parents[2] / "gateway" / "examples"
COMMANDS = {
    "detect.mjs": ["node", EXAMPLES / "detect.mjs"],
    # Without php.ini and the extensions that it brings.
    "detect.php": ["php", "-n", EXAMPLES / "detect.php"],
    "detect.sh": [EXAMPLES / "detect.sh"],
    "detect.py": [sys.executable, EXAMPLES / "detect.py"],
}
NEEDS = {"detect.mjs": "node", "detect.php": "php", "detect.sh": "curl", "detect.py": sys.executable}


@pytest.fixture(scope="module")
def service(triton, tmp_path_factory):
    """(address, key)."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    key = add_key(keys, "example")
    with Paged(triton.grpc_url, "--keys", keys) as paged:
        yield paged.url, key


@pytest.fixture(params=COMMANDS)
def example(request):
    if shutil.which(NEEDS[request.param]) is None:
        pytest.skip(f"not on this machine: {NEEDS[request.param]}")

    def run(*arguments, **environment):
        return subprocess.run(
            [*COMMANDS[request.param], *arguments],
            env={**os.environ, "no_proxy": "127.0.0.1", **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(wall()).save(folder / "twelve.png")
    Image.fromarray(wall()[:520, :540]).save(folder / "a ü; 'face'.jpg")
    Image.fromarray(np.full((200, 300, 3), 127, np.uint8)).save(folder / "none.png")
    return folder


@pytest.mark.parametrize(("name", "count"), [("twelve.png", 12), ("a ü; 'face'.jpg", 1), ("none.png", 0)])
def test_the_faces_are_the_python_clients(example, service, client, pictures, name, count):
    address, key = service
    done = example(pictures / name, address, FACES_KEY=key)
    assert (done.returncode, done.stderr) == (0, "")
    expected = client.detect(pictures / name)
    rows = np.array([line.split(" ") for line in done.stdout.splitlines()], np.float32).reshape(-1, 5)
    assert len(rows) == count
    np.testing.assert_array_equal(rows, np.column_stack([expected.probabilities, expected.boxes]))


def test_the_address_may_come_from_the_environment(example, service, pictures):
    address, key = service
    # As `faces page` prints it.
    done = example(pictures / "twelve.png", FACES_KEY=key, FACES_URL=f"{address}/")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 12


def test_a_problem_is_said_in_its_sentence(example, service, pictures, tmp_path):
    address, key = service
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    for photo, given, sentence in [
        (tmp_path / "junk.jpg", key, "the file is not a picture in a known format (4 bytes)"),
        (pictures / "none.png", "wrong", "the key is not known"),
    ]:
        done = example(photo, address, FACES_KEY=given)
        assert (done.returncode, done.stdout) == (1, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(sentence)
