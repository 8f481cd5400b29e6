"""FLOPs by formula against those that the real networks do, counted by hooks."""

import pytest
import torch
from torch import nn

from face_bench.flops import ONET_LAYERS, PNET_LAYERS, RNET_LAYERS, flops, pyramid_flops
from face_cascade.tiles import pyramid_levels
from face_export.mtcnn import ONet, PNet, RNet


def counted(network, height, width):
    """Operations of the convolutions and dense layers of one pass, from the shapes that come by."""
    operations = 0

    def hook(module, _inputs, output):
        nonlocal operations
        operations += 2 * module.weight[0].numel() * output.numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(hook)
    with torch.inference_mode():
        network(torch.zeros(1, 3, height, width))
    return operations


@pytest.mark.parametrize(
    ("network", "layers", "height", "width"),
    [
        (PNet, PNET_LAYERS, 12, 12),
        # Odd and even sides: the pooling keeps a partial window.
        (PNet, PNET_LAYERS, 37, 52),
        (PNet, PNET_LAYERS, 38, 53),
        (RNet, RNET_LAYERS, 24, 24),
        (ONet, ONET_LAYERS, 48, 48),
    ],
)
def test_the_formula_counts_what_the_network_does(network, layers, height, width):
    assert flops(layers, height, width) == counted(network(), height, width)


def test_a_pyramid_is_the_sum_of_its_levels():
    levels = pyramid_levels(60, 80, 20, 0.709)
    assert len(levels) > 1
    assert pyramid_flops(60, 80) == sum(counted(PNet(), level.height, level.width) for level in levels)


def test_an_image_smaller_than_a_face_costs_nothing():
    assert pyramid_flops(5, 5) == 0
