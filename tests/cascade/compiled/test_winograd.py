"""Winograd's filtering beside the definition of a convolution."""

from functools import lru_cache

import numpy as np
import pytest

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.winograd import SIDE, Winograd, _of_weights, on_tiles
from face_cascade.vectors import LANES
from tests.cascade.compiled.test_convolution import definition, random


@lru_cache
def compiled(winograd):
    return on_tiles(winograd)


def found_and_wanted(winograd, height, width):
    layer = winograd.layer
    weight, bias, slope = random(layer.outputs, layer.inputs, 3, 3), random(layer.outputs), random(layer.outputs)
    source = random(height + 2, width + 2, layer.inputs)
    found = np.full((height, width, layer.outputs), np.nan, np.float32)
    compiled(winograd)(source, *winograd.packed(weight, bias, slope), *winograd.maps(width, height), found)
    return found, definition(source, weight, bias, slope)


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 32), (32, 16)])
@pytest.mark.parametrize("width", [4, 5, 7, 8, 31, 122, 123])
def test_four_rows_equal_the_definition(inputs, outputs, width):
    winograd = Winograd(Convolution(3, 3, inputs, outputs, typical_width=123))
    np.testing.assert_allclose(*found_and_wanted(winograd, SIDE, width), atol=3e-4, rtol=1e-5)


@pytest.mark.parametrize("side", [3, 4])
@pytest.mark.parametrize("size", [(4, 4), (8, 8), (21, 21), (5, 9), (7, 4)])
def test_whole_maps_equal_the_definition(side, size):
    # Of its outputs several groups.
    winograd = Winograd(Convolution(3, 3, 32, 64, typical_width=21), side, typical_height=21)
    assert winograd.groups > 1 or LANES > 8
    np.testing.assert_allclose(*found_and_wanted(winograd, *size), atol=3e-4, rtol=1e-5)


def test_inputs_need_not_fill_vectors():
    winograd = Winograd(Convolution(3, 3, 28, 48, typical_width=9), 3, typical_height=9)
    weight, bias, slope = random(48, 28, 3, 3), random(48), random(48)
    source = np.full((11, 11, winograd.layer.input_floats), np.nan, np.float32)
    source[..., :28] = random(11, 11, 28)
    found = np.full((9, 9, 48), np.nan, np.float32)
    compiled(winograd)(source, *winograd.packed(weight, bias, slope), *winograd.maps(9, 9), found)
    np.testing.assert_allclose(found, definition(source[..., :28], weight, bias, slope), atol=3e-4, rtol=1e-5)


def test_smaller_tiles_round_less():
    errors = []
    for side in (3, 4):
        found, wanted = found_and_wanted(Winograd(Convolution(3, 3, 32, 64, typical_width=12), side, 12), 12, 12)
        errors.append(np.sqrt(np.mean((found - wanted) ** 2)))
    assert errors[0] < errors[1] / 1.5


@pytest.mark.parametrize("side", [3, 4])
def test_tiles_may_lie_in_larger_memory(side):
    winograd = Winograd(Convolution(3, 3, 32, 64, typical_width=8), side, typical_height=8)
    packed = winograd.packed(random(64, 32, 3, 3), random(64), random(64))
    source, (exactly, larger) = random(10, 10, 32), np.full((2, 8, 8, 64), np.nan, np.float32)
    compiled(winograd)(source, *packed, *winograd.maps(8, 8), exactly)
    compiled(winograd)(source, *packed, np.empty(100_000, np.float32), np.empty(100_000, np.float32), larger)
    np.testing.assert_array_equal(exactly, larger)


def test_the_transform_of_weights_is_the_papers():
    wanted = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]
    np.testing.assert_allclose(24 * _of_weights(4), wanted)
