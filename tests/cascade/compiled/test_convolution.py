"""The convolution kernel beside the definition of a convolution."""

from functools import lru_cache

import numpy as np
import pytest

from face_cascade import vectors
from face_cascade.compiled.convolution import Convolution, best_block
from face_cascade.compiled.layers import on_map, on_pixels


def definition(source, weight, bias, slope):
    """source [H,W,C], weight [O,C,kh,kw] → [h,w,O], in float64."""
    outputs, _, height, width = weight.shape
    rows, columns = source.shape[0] - height + 1, source.shape[1] - width + 1
    found = np.zeros((rows, columns, outputs))
    for y in range(rows):
        for x in range(columns):
            window = source[y : y + height, x : x + width].astype(float)
            found[y, x] = np.einsum("yxc,ocyx->o", window, weight.astype(float)) + bias
    return np.where(found < 0, found * slope, found)


@lru_cache
def compiled(layer):
    return on_pixels(layer) if layer.pixel_floats == 1 else on_map(layer)


def run(layer, source, packed, shape):
    target = np.full((*shape, layer.vectors * vectors.LANES), np.nan, np.float32)
    compiled(layer)(source, packed, target)
    return target


def random(*shape):
    return np.random.default_rng(sum(shape)).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("window", "inputs", "outputs", "size"),
    [
        ((3, 3), 3, 10, (5, 40)),
        ((3, 3), 16, 32, (4, 125)),
        ((2, 2), 48, 64, (4, 4)),
        ((3, 3), 28, 48, (11, 11)),
        ((1, 1), 32, 6, (1, 33)),
        ((1, 1), 576, 128, (1, 8)),
        # One output: a row shorter than any block.
        ((3, 3), 10, 16, (3, 3)),
        ((3, 3), 7, 5, (6, 9)),
    ],
)
def test_map_equals_the_definition(window, inputs, outputs, size):
    layer = Convolution(*window, inputs, outputs, typical_width=size[1])
    weight, bias, slope = random(outputs, inputs, *window), random(outputs), random(outputs)
    source = np.full((*size, layer.input_floats), np.nan, np.float32)
    source[..., :inputs] = random(*size, inputs)
    shape = size[0] - window[0] + 1, size[1] - window[1] + 1
    found = run(layer, source, layer.packed(weight, bias, slope), shape)
    wanted = definition(source[..., :inputs], weight, bias, slope)
    np.testing.assert_allclose(found[..., :outputs], wanted, atol=2e-5, rtol=1e-5)
    assert (found[..., outputs:] == 0).all(), "what fills up a vector must be zero"


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 126])
def test_every_width_gives_every_pixel(width):
    layer = Convolution(3, 3, 3, 10, typical_width=126, pixel_floats=1)
    weight, bias, slope = random(10, 3, 3, 3), random(10), random(10)
    planes = random(3, 4, width + 2)
    found = run(layer, planes, layer.packed(weight, bias, slope), (2, width))
    wanted = definition(planes.transpose(1, 2, 0), weight, bias, slope)
    np.testing.assert_allclose(found[..., :10], wanted, atol=2e-5, rtol=1e-5)


def test_without_activation_negative_values_stay():
    layer = Convolution(1, 1, 4, 3, typical_width=5, activation=False)
    source = np.full((1, 5, layer.input_floats), -1, np.float32)
    found = run(layer, source, layer.packed(np.ones((3, 4, 1, 1), np.float32), random(3), None), (1, 5))
    np.testing.assert_allclose(found[0, :, :3], np.broadcast_to(random(3) - 4, (5, 3)), rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 16])
@pytest.mark.parametrize("width", [1, 3, 9, 22, 123])
def test_a_block_fits_into_the_registers_and_divides_the_vectors(count, width):
    pixels, block_vectors = best_block(count, width)
    assert count % block_vectors == 0
    assert 1 <= pixels <= width
    # Sums, one vector of weights for each, one repeated pixel value.
    assert pixels * block_vectors + block_vectors + 1 <= vectors.REGISTERS
