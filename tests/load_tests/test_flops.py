"""The networks' FLOPs as torch counts them, against counts by hand and by hooks on a pass that is computed."""

import pytest
import torch
from torch import nn

from face_bench.floor import candidate_flops, network_flops, pyramid_flops
from face_cascade.networks import ONET, PNET, RNET
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
    ("network", "module", "height", "width"),
    [
        (PNET, PNet, 12, 12),
        # Odd and even sides: the pooling keeps a partial window.
        (PNET, PNet, 37, 52),
        (PNET, PNet, 38, 53),
        (RNET, RNet, 24, 24),
        (ONET, ONet, 48, 48),
    ],
)
def test_what_torch_counts_is_what_the_network_does(network, module, height, width):
    assert network_flops(network, height, width) == counted(module(), height, width)


def test_the_numbers_by_hand():
    """Zhang et al. 2016, layer by layer: 2 x inputs x kernel x outputs x places, the heads as one last layer."""
    assert network_flops(PNET, 12, 12) == 2 * (27 * 10 * 100 + 90 * 16 * 9 + 144 * 32 * 1 + 32 * 6 * 1) == 89_520
    rnet = 27 * 28 * 22**2 + 252 * 48 * 9**2 + 192 * 64 * 3**2 + 576 * 128 + 128 * 6
    assert candidate_flops(RNET) == 2 * rnet == 3_061_536
    onet = 27 * 32 * 46**2 + 288 * 64 * 21**2 + 576 * 64 * 8**2 + 256 * 128 * 3**2 + 1152 * 256 + 256 * 16
    assert candidate_flops(ONET) == 2 * onet == 25_819_904


def test_a_pyramid_is_the_sum_of_its_levels():
    levels = pyramid_levels(60, 80, 20, 0.709)
    assert len(levels) > 1
    assert pyramid_flops(60, 80) == sum(counted(PNet(), level.height, level.width) for level in levels)


def test_an_image_smaller_than_a_face_costs_nothing():
    assert pyramid_flops(5, 5) == 0


def test_the_pyramids_of_the_benchmark():
    assert pyramid_flops(1080, 1920) == 5_341_350_240
    assert pyramid_flops(540, 960) == 1_297_952_940
