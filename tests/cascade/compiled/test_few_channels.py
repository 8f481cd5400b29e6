"""Winograd's filtering of few channels beside the definition of a convolution, and its pooling beside torch's."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.few_channels import FewChannels, on_planes, on_planes_pooled, source_width, tiles
from face_cascade.compiled.layers import on_pixels
from face_cascade.vectors import LANES
from tests.cascade.compiled.test_convolution import definition, random

WIDTHS = [1, 2, 3, 7, 8, 9, 22, 31, 32, 33, 46, 125, 254]


def few(inputs, outputs):
    return FewChannels(Convolution(3, 3, inputs, outputs, typical_width=22, pixel_floats=1))


@lru_cache
def compiled(inputs, outputs):
    return on_planes(few(inputs, outputs))


@lru_cache
def compiled_pooled(inputs, outputs):
    return on_planes_pooled(few(inputs, outputs))


def among_what_is_no_number(planes, width):
    """The planes with as much beside them as is read for an output so wide."""
    source = np.full((*planes.shape[:2], source_width(width)), np.nan, np.float32)
    source[:, :, : planes.shape[2]] = planes
    return source


def convolved(planes, weight, bias, slope):
    """planes [inputs,h+2,w+2] → [h,w,outputs in whole vectors]"""
    height, width = planes.shape[1] - 2, planes.shape[2] - 2
    outputs, inputs = weight.shape[:2]
    layer = few(inputs, outputs)
    target = np.full((height, 2 * tiles(width), layer.layer.vectors * LANES), np.nan, np.float32)
    source = among_what_is_no_number(planes, width)
    compiled(inputs, outputs)(source, layer.packed(weight, bias, slope), target, width)
    return target[:, :width]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("height", "inputs", "outputs"), [(2, 10, 16), (3, 10, 16), (10, 3, 28), (7, 3, 32), (4, 1, 5)]
)
def test_every_size_equals_the_definition(height, inputs, outputs, width):
    weight, bias, slope = random(outputs, inputs, 3, 3), random(outputs), random(outputs)
    planes = random(inputs, height + 2, width + 2)
    found = convolved(planes, weight, bias, slope)
    np.testing.assert_allclose(
        found[..., :outputs], definition(planes.transpose(1, 2, 0), weight, bias, slope), atol=2e-5, rtol=1e-5
    )
    assert (found[..., outputs:] == 0).all(), "what fills up a vector must be zero"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", [1, 2])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 10), (1, 2)])
def test_pooling_is_that_of_torch(inputs, outputs, height, width):
    # Slopes of both signs: PReLU comes before the pooling.
    weight, bias, slope = random(outputs, inputs, 3, 3), random(outputs), random(outputs)
    planes = random(inputs, height + 2, width + 2)
    source = np.full((inputs, 4, source_width(width)), np.nan, np.float32)
    source[:, : height + 2] = among_what_is_no_number(planes, width)
    pooled = np.zeros((outputs, 3, source_width(width) // 2), np.float32)
    packed = few(inputs, outputs).packed_pooled(weight, bias, slope)
    compiled_pooled(inputs, outputs)(source, packed, width, height, pooled, 1)
    maps = torch.from_numpy(definition(planes.transpose(1, 2, 0), weight, bias, slope)).permute(2, 0, 1)
    wanted = torch.nn.functional.max_pool2d(maps, 2, 2, ceil_mode=True).numpy()
    np.testing.assert_allclose(pooled[:, 1, : wanted.shape[2]], wanted[:, 0], atol=2e-5, rtol=1e-5)
    assert (pooled[:, [0, 2]] == 0).all()


@pytest.mark.parametrize(("inputs", "outputs"), [(3, 28), (10, 16)])
@pytest.mark.parametrize("spread", [0, 3], ids=["even weights", "weights of any size"])
def test_it_rounds_about_as_plain_sums_do(spread, inputs, outputs):
    weight, bias, slope = random(outputs, inputs, 3, 3), random(outputs), np.ones(outputs, np.float32)
    weight *= np.exp(spread * np.random.default_rng(1).normal(size=weight.shape)).astype(np.float32)
    planes = 128 * random(inputs, 24, 24)
    layer = few(inputs, outputs).layer
    plain = np.empty((22, 22, layer.vectors * LANES), np.float32)
    on_pixels(layer)(planes, layer.packed(weight, bias, slope), plain)
    exact = definition(planes.transpose(1, 2, 0), weight, bias, slope)
    found = convolved(planes, weight, bias, slope)
    scale = np.abs(exact).max((0, 1))
    of_tiles, of_sums = (np.sqrt(np.mean(((one[..., :outputs] - exact) / scale) ** 2)) for one in (found, plain))
    assert of_tiles < 1.5 * of_sums
