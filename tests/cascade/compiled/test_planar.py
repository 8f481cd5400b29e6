"""The first convolution with pixels in the lanes: to the bit that with channels in them; and its pooling."""

import numpy as np
import pytest
import torch

from face_cascade import vectors
from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.layers import on_pixels
from face_cascade.compiled.planar import PlanarConvolution, on_planes, pool_planes
from tests.cascade.compiled.test_convolution import random

LAYER = PlanarConvolution(3, 3, 3, 10)
BESIDE = Convolution(3, 3, 3, 10, typical_width=126, pixel_floats=1)
convolve, pool, convolve_beside = on_planes(LAYER), pool_planes(LAYER), on_pixels(BESIDE)


def convolved(planes):
    """planes [3,H,W] → [10,h,w'], [h,w,10]: the layer, and the one with channels in the lanes."""
    weight, bias, slope = random(10, 3, 3, 3), random(10), random(10)
    rows, width = planes.shape[1] - 2, planes.shape[2] - 2
    room = LAYER.padded(width)
    # What stands behind a row may be anything.
    source = np.full((3, planes.shape[1], room + vectors.LANES), np.nan, np.float32)
    source[:, :, : planes.shape[2]] = planes
    found = np.full((10, rows, room), np.nan, np.float32)
    convolve(source, LAYER.packed(weight, bias, slope), found, width)
    beside = np.empty((rows, width, BESIDE.vectors * vectors.LANES), np.float32)
    convolve_beside(planes, BESIDE.packed(weight, bias, slope), beside)
    return found, beside[:, :, :10]


@pytest.mark.parametrize("width", [1, 2, 9, 15, 16, 17, 33, 254, 255])
@pytest.mark.parametrize("rows", [1, 2])
def test_the_same_bits_as_with_channels_in_the_lanes(rows, width):
    found, beside = convolved(random(3, rows + 2, width + 2))
    np.testing.assert_array_equal(found[:, :, :width].transpose(1, 2, 0), beside)


@pytest.mark.parametrize("width", [1, 2, 9, 15, 16, 17, 33, 254, 255])
@pytest.mark.parametrize("rows", [1, 2])
def test_pooling_is_that_of_torch(rows, width):
    found, beside = convolved(random(3, rows + 2, width + 2))
    pooled = np.zeros((10, 3, LAYER.padded(width) // 2), np.float32)
    pool(found, width, pooled, 1)
    wanted = torch.nn.functional.max_pool2d(torch.from_numpy(beside).permute(2, 0, 1), 2, 2, ceil_mode=True).numpy()
    np.testing.assert_array_equal(pooled[:, 1, : wanted.shape[2]], wanted[:, 0])
    assert (pooled[:, [0, 2]] == 0).all()


def test_rows_of_an_odd_number_of_vectors_are_not_pooled():
    """It would read, and write, behind them."""
    with pytest.raises(AssertionError):
        pool_planes(PlanarConvolution(3, 3, 3, 10, block=(1, 5)))
