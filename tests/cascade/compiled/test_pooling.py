"""Max-pooling beside its definition."""

import numpy as np
import pytest

from face_cascade.compiled.convolution import Convolution
from face_cascade.compiled.layers import pool
from face_cascade.vectors import LANES


def definition(source, window):
    """Stride 2; a window that begins inside counts, cut off at the edge."""
    height, width, channels = source.shape
    rows = range(0, height - window + 2, 2) if height >= window else range(1)
    columns = range(0, width - window + 2, 2) if width >= window else range(1)
    found = np.empty((len(rows), len(columns), channels), np.float32)
    for i, y in enumerate(rows):
        for j, x in enumerate(columns):
            found[i, j] = source[y : y + window, x : x + window].max(axis=(0, 1))
    return found


LAYER = Convolution(3, 3, 3, 40, typical_width=8)
POOL = {window: pool(window, LAYER) for window in (2, 3)}


@pytest.mark.parametrize("window", [2, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 5), (4, 4), (9, 9), (22, 21), (2, 126)])
def test_pool_equals_the_definition(window, size):
    source = np.random.default_rng(1).normal(size=(*size, LAYER.vectors * LANES)).astype(np.float32)
    wanted = definition(source, window)
    found = np.full_like(wanted, np.nan)
    POOL[window](source, found)
    np.testing.assert_array_equal(found, wanted)
