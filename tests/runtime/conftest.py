"""The runtime's modules on a stand-in for Triton's own, which is empty again for each test."""

import importlib.util
import sys
from pathlib import Path

import pytest

from tests.runtime import stand_in

sys.modules["triton_python_backend_utils"] = stand_in

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def triton(monkeypatch):
    """The stand-in."""
    for name in ("LOG_FORMAT", "NETWORKS", "ENGINE", "DECODE"):
        monkeypatch.delenv(f"TRITON_FACES_{name}", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    # Callers of the tests leave after so many looks.
    monkeypatch.setattr("face_runtime.answers._ASK_AGAIN_S", 0)
    stand_in.reset()
    return stand_in


@pytest.fixture
def model():
    """Makes an instance of a model from its file, as Triton does."""

    def instance(file: str, **args: str):
        spec = importlib.util.spec_from_file_location("model", ROOT / file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made = module.TritonPythonModel()
        made.initialize(args)
        return made

    return instance
