"""PNet's cells that are looked at, out of pictures: those of all cells by plain sums, to the bit."""

import numpy as np
import pytest

from face_cascade.area import area_resize, area_windows, integral_image
from face_cascade.compiled import COMPILED
from face_cascade.compiled.pnet import View
from face_cascade.networks import PNET


def view_of(height, width, seed=5):
    """A tile of a picture of noise and squares, and the same drawn."""
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (2 * height + 3, 2 * width + 1, 3), np.uint8)
    picture[::3] = np.kron(random.integers(0, 256, (99, 99, 3)), np.ones((9, 9, 1), int))[
        : len(picture[::3]), : 2 * width + 1
    ]
    view = View(integral_image(picture), *area_windows(len(picture), height), *area_windows(picture.shape[1], width))
    tile = np.empty((1, 3, height, width), np.float32)
    area_resize(view.sums, view.y0, view.y1, view.x0, view.x1, tile[0])
    return view, tile


def check(network, view, tile, least):
    regression, probability = (of_tiles[0] for of_tiles in network(tile))
    rows, columns = np.nonzero(probability >= np.float32(least))
    found = network.likely(view, least)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.columns, columns)
    np.testing.assert_array_equal(found.probability, probability[rows, columns])
    np.testing.assert_array_equal(found.regression, regression[:, rows, columns].T)
    return len(rows)


@pytest.mark.parametrize(
    "size", [(256, 256), (12, 12), (13, 13), (12, 40), (45, 300), (26, 26), (60, 17), (27, 31), (29, 28), (111, 130)]
)
def test_likely_cells_are_those_of_plain_sums(compiled, size):
    counts = [check(compiled[PNET], *view_of(*size), least) for least in (0, 0.001, 0.02, 0.1, 0.6, 1)]
    assert counts[0] == ((size[0] - 1) // 2 - 4) * ((size[1] - 1) // 2 - 4)
    assert counts == sorted(counts, reverse=True)
    assert counts[3] > 0 or counts[0] < 2000


def changed(weights, factor):
    return {
        **weights,
        "conv4_1.weight": factor * weights["conv4_1.weight"],
        "conv4_1.bias": 0 * weights["conv4_1.bias"],
    }


@pytest.fixture(scope="module")
def weights(modules):
    return {name: tensor.numpy() for name, tensor in modules[PNET].state_dict().items()}


def test_what_is_sure_is_exact_whatever_is_asked_for(weights):
    """1 is a probability of float32, which scores that differ by 17 have."""
    assert check(COMPILED[PNET](changed(weights, 40)), *view_of(256, 256), least=1.0)


def test_weights_that_round_too_roughly_are_done_by_plain_sums(weights):
    network = COMPILED[PNET](changed(weights, 1e4))
    assert not network._is_fast
    assert check(network, *view_of(60, 60), least=0.9)
    assert not COMPILED[PNET]({**weights, "conv2.bias": np.full(16, np.nan, np.float32)})._is_fast
