"""Client and tools install alone, beside the newest NumPy, and `faces detect` works from there."""

import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.pictures import DATA

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path):
    """A new virtual environment with nothing but the client and the command in it."""
    venv.create(tmp_path / "env", with_pip=True)
    # Copies: building in the source tree would leave files there.
    ignored = shutil.ignore_patterns("*.egg-info", "build", "face_admin")
    sources = [shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored) for name in ("client", "tools")]
    binaries = tmp_path / "env" / "bin"
    subprocess.run([binaries / "pip", "install", "--quiet", *sources], check=True)
    return binaries


def test_detect_from_an_environment_with_nothing_but_client_and_command(environment, triton):
    numpy = subprocess.run(
        [environment / "python", "-c", "import numpy; print(numpy.__version__)"], capture_output=True, text=True
    )
    assert int(numpy.stdout.split(".")[0]) >= 2
    packages = subprocess.run([environment / "pip", "list"], capture_output=True, text=True).stdout
    assert "rich" not in packages
    assert "torch" not in packages
    detect = [environment / "faces", "detect", DATA / "astronaut.png", "--url", triton.grpc_url]
    table = subprocess.run(detect, capture_output=True, text=True, check=True)
    assert "181.1 62.2 267.7 172.1" in table.stdout
    lines = subprocess.run([*detect, "--json"], capture_output=True, text=True, check=True).stdout.splitlines()
    (answer,) = map(json.loads, lines)
    assert (answer["width"], answer["height"], len(answer["faces"])) == (512, 512, 1)
    assert set(answer["faces"][0]["landmarks"]) == {"left_eye", "right_eye", "nose", "mouth_left", "mouth_right"}
    assert sys.prefix not in str(environment)
