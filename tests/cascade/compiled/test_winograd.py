"""Winograd's filtering beside the definition of a convolution."""

from functools import lru_cache

import numpy as np
import pytest

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.winograd import _OF_WEIGHTS, SIDE, Winograd, on_tiles
from tests.cascade.compiled.test_convolution import definition, random


@lru_cache
def compiled(winograd):
    return on_tiles(winograd)


@pytest.mark.parametrize(("inputs", "outputs"), [(16, 32), (32, 16)])
@pytest.mark.parametrize("width", [4, 5, 7, 8, 31, 122, 123])
def test_four_rows_equal_the_definition(inputs, outputs, width):
    winograd = Winograd(Convolution(3, 3, inputs, outputs, typical_width=123))
    weight, bias, slope = random(outputs, inputs, 3, 3), random(outputs), random(outputs)
    source = random(SIDE + 2, width + 2, inputs)
    found = np.full((SIDE, width, outputs), np.nan, np.float32)
    compiled(winograd)(source, *winograd.packed(weight, bias, slope), *winograd.maps(width), found)
    np.testing.assert_allclose(found, definition(source, weight, bias, slope), atol=3e-4, rtol=1e-5)


def test_the_transform_of_weights_is_that_of_its_points():
    """Row i of G: 1, x, x² over the product of the point's distances from the others, up to the signs that B carries;
    the last row is of the point at infinity."""
    points = [0, 1, -1, 2, -2]
    for row, x in zip(_OF_WEIGHTS, points, strict=False):
        distances = np.prod([x - other for other in points if other != x])
        np.testing.assert_allclose(np.abs(row), np.abs(np.array([1, x, x * x]) / distances))
    assert _OF_WEIGHTS[5].tolist() == [0, 0, 1]
