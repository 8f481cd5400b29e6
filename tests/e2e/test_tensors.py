"""Tensors pass through Triton and its stub unharmed: NumPy 2 under this stub would corrupt them silently."""

from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpc

from face_server import EmbeddedTriton, Settings
from tests.e2e.requests import tensor

ECHO = Path(__file__).parent / "echo_repository"


@pytest.fixture(scope="module")
def echo():
    with (
        EmbeddedTriton(ECHO, Settings(models=("echo",))) as server,
        grpc.InferenceServerClient(server.grpc_url) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("name", "ramp"),
    [
        ("uint8", np.arange(3 * 70_000, dtype=np.uint32).astype(np.uint8).reshape(3, 70_000)),
        ("fp32", np.linspace(-1e9, 1e9, 6_000_000, dtype=np.float32).reshape(2, -1)),
        ("bytes", np.array([bytes(range(256)) * n for n in range(5)], dtype=object)),
    ],
)
def test_a_ramp_comes_back(echo, name, ramp):
    answer = echo.infer("echo", [tensor(name, ramp)]).as_numpy(f"{name}_out")
    np.testing.assert_array_equal(answer, ramp)


def test_zero_rows_come_back(echo):
    answer = echo.infer("echo", [tensor("fp32", np.empty((0, 4), np.float32))]).as_numpy("fp32_out")
    assert answer.shape == (0, 4)
