"""PNet's own kernels, in triton's interpreter, against torch."""

import numpy as np
import pytest
import torch

from face_cascade import WrongWeights
from face_export.mtcnn import PNet, RNet
from tests.runtime.interpreted import pnet

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    """With weights that let every layer count, and slopes of both signs."""
    torch.manual_seed(3)
    made = PNet().eval()
    with torch.no_grad():
        for name, values in made.named_parameters():
            if name.startswith("prelu"):
                values.uniform_(-0.5, 0.8)
            elif name.endswith("bias"):
                values.uniform_(-0.4, 0.4)
    return made


def weights(module):
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def expected(network, tiles):
    with torch.inference_mode():
        regression, probability = network((tiles - 127.5) * 0.0078125)
    return regression, probability[:, 1]


SLOW = pytest.mark.slow

# One cell; strips as the cascade cuts them, smaller; more than a block of cells.
SHAPES = [(2, 12, 12), (1, 11, 31), pytest.param((1, 31, 11), marks=SLOW), pytest.param((1, 24, 43), marks=SLOW)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_maps_are_torchs(network, shape):
    count, height, width = shape
    tiles = torch.from_numpy(
        np.random.RandomState(height).uniform(0, 255, (count, 3, height, width)).astype(np.float32)
    )
    for found, wanted in zip(pnet.KernelPNet(weights(network), CPU)(tiles), expected(network, tiles), strict=True):
        assert found.shape == wanted.shape
        assert wanted.std() > 1e-4
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


@SLOW
def test_half_as_many_bits_are_nearly_the_same(network):
    tiles = torch.from_numpy(np.random.RandomState(1).uniform(0, 255, (1, 3, 13, 16)).astype(np.float32))
    found = pnet.KernelPNet(weights(network), CPU, half=True)(tiles)
    for half, wanted in zip(found, expected(network, tiles), strict=True):
        assert half.dtype == torch.float32
        torch.testing.assert_close(half, wanted, atol=0.01, rtol=0)


@SLOW
def test_arrays_of_half_precision_are_widened_before_anything_is_computed(network):
    rounded = {name: array.astype(np.float16) for name, array in weights(network).items()}
    widened = {name: array.astype(np.float32) for name, array in rounded.items()}
    tiles = torch.from_numpy(np.random.RandomState(1).uniform(0, 255, (1, 3, 13, 16)).astype(np.float32))
    of_rounded, of_widened = (pnet.KernelPNet(given, CPU, half=True)(tiles) for given in (rounded, widened))
    for found, wanted in zip(of_rounded, of_widened, strict=True):
        torch.testing.assert_close(found, wanted, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: weights(RNet()), "compiled pnet wants "),
        (lambda given: {**given, "conv1.weight": given["conv2.weight"]}, "compiled pnet wants conv1.weight of shape"),
        (lambda given: {**given, "conv5.bias": given["conv3.bias"]}, "compiled pnet has no tensor conv5.bias"),
        (lambda _: {}, "compiled pnet wants a tensor conv1.weight"),
    ],
    ids=["of another network", "of another shape", "one more", "none"],
)
def test_weights_of_another_network(network, change, sentence):
    with pytest.raises(WrongWeights, match=sentence):
        pnet.KernelPNet(change(weights(network)), CPU)
