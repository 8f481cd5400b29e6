"""Modules without weights: what is harmless, and what is refused because it would be without effect."""

import copy
import pickle

import pytest
import torch
from torch import nn

from face_client import InvalidInput
from face_client.drop_in import NotHere
from face_client.facenet_pytorch import MTCNN, InceptionResnetV1, ONet, PNet, RNet
from tests.client.facenet_pytorch.test_inception_resnet_v1 import FakeFaceNet


@pytest.fixture(params=[MTCNN, InceptionResnetV1, PNet])
def module(request):
    return request.param(url="127.0.0.1:1")


def test_one_parameter_tells_where_and_what(module):
    assert next(module.parameters()).device == torch.device("cpu")
    assert next(module.half().parameters()).dtype == torch.float16
    assert next(pickle.loads(pickle.dumps(module)).parameters()).dtype == torch.float16
    assert next(copy.deepcopy(module).double().parameters()).dtype == torch.float64
    assert sum(parameter.numel() for parameter in module.parameters()) == 0
    assert module.requires_grad_(False).train().training
    if not torch.cuda.is_available():
        assert module.to("cpu").cuda() is module
        assert next(module.parameters()).device == torch.device("cpu")


@pytest.mark.parametrize("kind", [MTCNN, InceptionResnetV1])
def test_devices(kind):
    assert kind(device="cuda:1").device == "cuda:1"
    for device in ("nonsense", "cpu:x", ["cpu"]):
        with pytest.raises(InvalidInput, match=r"^device is .*nonsense|cpu"):
            kind(device=device)


@pytest.mark.parametrize("strict", [True, False])
def test_weights_are_neither_loaded_nor_saved_in_silence(module, strict):
    weights = {"last_linear.weight": torch.zeros(1), "conv1.weight": torch.zeros(1)}
    with pytest.raises(NotHere, match=r"^2 weights cannot be loaded into .*faces export"):
        module.load_state_dict(weights, strict=strict)
    module.load_state_dict({}, strict=strict)
    with pytest.raises(NotHere, match="no weights to save"):
        module.state_dict()


def test_as_a_part_of_another_module(module):
    whole = nn.ModuleDict({"served": module, "head": nn.Linear(2, 2)})
    weights = whole.state_dict()
    assert set(weights) == {"head.weight", "head.bias"}
    whole.load_state_dict(weights)
    with pytest.raises(NotHere, match=r"^1 weights cannot be loaded"):
        whole.load_state_dict({**weights, "served.logits.weight": torch.zeros(1)}, strict=False)


def test_layers_are_neither_there_nor_replaced(module):
    with pytest.raises(AttributeError, match="'last_linear'; its layers and weights are in the server"):
        module.last_linear  # noqa: B018
    with pytest.raises(NotHere, match=r"\.logits cannot be replaced"):
        module.logits = nn.Linear(512, 2)
    with pytest.raises(NotHere, match="cannot be replaced"):
        module.add_module("head", nn.Linear(512, 2))
    assert not hasattr(module, "logits")


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_recordings_are_refused(mtcnn_of, scene):
    resnet, x = InceptionResnetV1(client=FakeFaceNet()).eval(), torch.zeros(1, 3, 160, 160)
    for record in (torch.jit.trace, torch.jit.trace_module):
        with pytest.raises(NotHere, match=r"cannot be traced or exported.*faces export"):
            record(resnet, x if record is torch.jit.trace else {"forward": x})
    with pytest.raises(NotHere, match="cannot be traced"):
        torch.jit.trace(nn.Sequential(resnet, nn.Linear(512, 2)), x)
    with pytest.raises(NotHere, match="cannot be traced"):
        torch.jit.trace(mtcnn_of(), torch.from_numpy(scene(1)))
    for module in (resnet, nn.Sequential(resnet), mtcnn_of()):
        with pytest.raises(NotHere, match="cannot be scripted"):
            torch.jit.script(module)


def test_networks_are_labels(mtcnn_of):
    mtcnn = mtcnn_of()
    for network, kind in ((mtcnn.pnet, PNet), (mtcnn.rnet, RNet), (mtcnn.onet, ONet)):
        assert type(network) is kind
        assert network.connection is mtcnn.connection
        with pytest.raises(NotHere, match=f"{kind.__name__.lower()} runs in the server"):
            network(torch.zeros(1, 3, 12, 12))
