"""Locust in a process of its own: what our file needs, and what is told where it cannot do what it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from face_bench import BenchError
from face_load.run import Locust

# Nobody listens there.
NOWHERE = "127.0.0.1:1"


@pytest.mark.slow
def test_why_a_run_failed_is_told(tmp_path):
    with (
        pytest.raises(BenchError, match=r"locust ended with status 1:\n.*--photos /no/such is not a folder"),
        Locust(NOWHERE, tmp_path / "run", ("--photos", "/no/such", "--run-time", "5s")) as locust,
    ):
        locust.finish()


@pytest.mark.slow
def test_a_server_that_is_not_there_is_told(tmp_path):
    with (
        pytest.raises(BenchError, match=r"127\.0\.0\.1:1, mtcnn: .*Connection refused"),
        Locust(NOWHERE, tmp_path / "run", ("--sizes", "64x64", "--run-time", "5s")) as locust,
    ):
        locust.finish()


@pytest.mark.slow
def test_an_option_that_locust_does_not_know_is_told(tmp_path):
    with (
        pytest.raises(BenchError, match="unrecognized arguments: --no-such-option"),
        Locust(NOWHERE, tmp_path / "run", ("--no-such-option",)) as locust,
    ):
        locust.finish()


@pytest.mark.slow
def test_the_locust_file_needs_what_its_image_has():
    """That is the client, the tools without extras, and locust: see `load` in the Dockerfile."""
    absent = ("matplotlib", "torch", "rich", "prometheus_client", "numba", "cv2", "scipy")
    ours = ("face_server", "face_runtime", "face_cascade", "face_export", "face_repository")
    code = f"import sys; sys.modules.update(dict.fromkeys({(*absent, *ours)})); import locustfile"
    folder = Path(__file__).parents[2] / "load_tests"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
