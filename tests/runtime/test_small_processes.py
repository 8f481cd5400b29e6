"""Processes that only pass arrays on load nothing that they do not need."""

import subprocess
import sys

import pytest

LOADED = """
import sys
from tests.runtime import stand_in
sys.modules["triton_python_backend_utils"] = stand_in
import {modules}
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modules", "spared"),
    [
        # Model `face_embeddings`: two processes that do without 70 MB of compiled kernels each.
        (
            "face_runtime.embedding, face_runtime.bls, face_runtime.answers, face_runtime.log, face_runtime.metrics",
            {"numba", "cv2", "torch", "triton", "PIL", "psutil", "argparse"},
        ),
        # Model `face_names`.
        ("face_runtime.naming", {"numba", "cv2", "torch", "triton", "psutil", "argparse", "psycopg"}),
        # The `pytorch` backend: four models, and on a CPU none of them loads torch before it is asked.
        ("face_runtime.answers", {"numba", "cv2", "torch", "triton", "PIL", "psutil", "argparse"}),
        ("face_runtime.torchscript", {"numba", "cv2", "triton", "PIL", "psutil"}),
        # The cascade on a CPU has its networks compiled.
        (
            "face_runtime.networks, face_runtime.requests, face_runtime.observer",
            {"torch", "triton", "psutil", "opentelemetry"},
        ),
        # The launcher's side.
        ("face_runtime.settings", {"numba", "cv2", "torch", "triton", "PIL"}),
    ],
)
def test_a_process_loads_no_more_than_it_needs(modules, spared):
    command = [sys.executable, "-c", LOADED.format(modules=modules)]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert not spared & set(loaded)


@pytest.mark.slow
def test_the_cascade_of_a_processor_runs_without_triton_around_it():
    """As `faces deploy` and `faces export` judge networks."""
    subprocess.run([sys.executable, "-c", "import face_runtime.processor"], check=True)
