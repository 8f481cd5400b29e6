"""What several of the cascade's tests need."""

import pytest
import torch

from face_cascade import ONET, PNET, RNET
from face_cascade.compiled import COMPILED
from face_export.mtcnn import ONet, PNet, RNet
from face_export.readers import read_stage
from face_export.weights import load_into


@pytest.fixture(scope="session")
def modules():
    """Eager torch networks."""
    modules = {PNET: PNet(), RNET: RNet(), ONET: ONet()}
    for network, module in modules.items():
        load_into(module, read_stage(network.name))
        module.eval()
    return modules


@pytest.fixture(scope="session")
def compiled(modules):
    """The same networks as machine code."""
    return {
        network: COMPILED[network]({name: tensor.numpy() for name, tensor in module.state_dict().items()})
        for network, module in modules.items()
    }


@pytest.fixture(scope="module")
def networks(modules):
    """The same as a runner."""

    def run(call):
        with torch.inference_mode():
            *rest, probability = modules[call.network]((torch.from_numpy(call.batch) - 127.5) * 0.0078125)
        face = probability[:, 1] if call.network is PNET else probability[:, 1:]
        return tuple(output.numpy() for output in (*rest, face))

    return run
