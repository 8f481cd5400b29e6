"""What the export's tests share: pretrained networks, reference outputs, a FaceNet of random numbers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from face_export import exporter, torchscript
from face_export.mtcnn import STAGES
from face_export.readers import read_stage
from face_export.readers.facenet import random_weights
from face_export.weights import Weights, digest, load_into

DATA = Path(__file__).parents[1] / "data"
CLASSES = 100
"""Size of the classifier that the reference's FaceNet has."""


@pytest.fixture(scope="session")
def reference() -> dict[str, np.ndarray]:
    """Outputs of facenet-pytorch 2.6.0 on the inputs that `inputs` makes again."""
    with np.load(DATA / "networks.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def facenet_tensors() -> list[str]:
    """`name (shape)` of each tensor in facenet-pytorch's state dict, in order."""
    return (DATA / "facenet_state_dict_keys.txt").read_text().splitlines()


@pytest.fixture(scope="session")
def pretrained() -> dict[str, Weights]:
    return {stage: read_stage(stage) for stage in STAGES}


@pytest.fixture(scope="session")
def networks(pretrained: dict[str, Weights]) -> dict[str, nn.Module]:
    networks = {}
    for stage, weights in pretrained.items():
        networks[stage] = STAGES[stage]().eval()
        load_into(networks[stage], weights)
    return networks


@pytest.fixture(scope="session")
def random_facenet() -> Weights:
    return random_weights(CLASSES)


@pytest.fixture(scope="session")
def inputs() -> dict[str, torch.Tensor]:
    """The reference's inputs, normalised float32 `[N,3,H,W]`, drawn in the order it drew them."""
    state = np.random.RandomState(7)
    shapes = {"pnet": (2, 3, 97, 133), "rnet": (5, 3, 24, 24), "onet": (5, 3, 48, 48)}
    drawn = {name: state.uniform(-1, 1, shape) for name, shape in shapes.items()}
    drawn["facenet"] = np.random.RandomState(1).uniform(-1, 1, (3, 3, 160, 160))
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in drawn.items()}


@pytest.fixture(autouse=True, scope="session")
def compiled_once() -> Iterator[None]:
    """Let the exporter compile equal networks once: that equal weights give equal files has its own tests."""
    archives: dict[tuple[str, str], bytes] = {}

    def to_bytes(served: nn.Module) -> bytes:
        key = type(served).__name__, digest(served)
        if key not in archives:
            archives[key] = torchscript.to_bytes(served)
        return archives[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "to_bytes", to_bytes)
        yield
