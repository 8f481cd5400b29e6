"""The PNet that is served against the one that was trained."""

import pytest
import torch
from torch import Tensor, nn

from face_export.mtcnn import PNet
from face_export.serving import ConvPoolPReLU, FusedPNet, ServedPNet

SLOPES = {
    "none negative": [0.0, 0.1, 0.5, 1.0, 1.7, 0.2, 0.3, 0.4, 0.9, 2.0],
    "all negative": [-0.1, -0.5, -1.0, -1.7, -0.2, -0.3, -0.4, -0.9, -2.0, -0.01],
    "mixed": [-0.6, -0.2, 1.01, 0.4, -1.03, 0.3, -0.3, 0.25, -0.9, -1.3],
}


def with_slopes(slopes: list[float]) -> PNet:
    torch.manual_seed(3)
    network = PNet().eval()
    network.prelu1.weight = nn.Parameter(torch.tensor(slopes))
    return network


@pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES.keys())
@pytest.mark.parametrize("shape", [(1, 3, 12, 12), (2, 3, 11, 257), (2, 3, 64, 45)])
def test_fused_equals_served(slopes: list[float], shape: tuple[int, ...]) -> None:
    network = with_slopes(slopes)
    tiles = torch.rand(shape) * 255
    with torch.inference_mode():
        for found, wanted in zip(FusedPNet(network)(tiles), ServedPNet(network)(tiles), strict=True):
            assert found.shape == wanted.shape
            torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES.keys())
def test_prelu_after_pooling_is_the_same_to_the_bit(slopes: list[float]) -> None:
    network = with_slopes(slopes)
    first = ConvPoolPReLU(network.conv1, network.prelu1, network.pool1, scale=1.0)
    images = torch.randn(2, 3, 33, 40)

    def reference() -> Tensor:
        pooled: Tensor = network.pool1(network.prelu1(network.conv1(images)))
        return pooled[:, first.order]

    with torch.inference_mode():
        assert torch.equal(first(images), reference())
