"""Kernels of the engine on a GPU, in triton's interpreter: to the bit what their twins and the processor's engine give.

Pictures are tiny: the interpreter takes milliseconds for each program of a grid.
"""

import numpy as np
import pytest
import torch

from face_cascade.area import area_crops, integral_image
from face_cascade.arrays import Patch
from face_cascade.numpy_arrays import NUMPY
from face_cascade.tiles import Level, Piece, cell_count
from face_runtime.device import twins
from face_runtime.device.arrays import TorchArrays
from face_runtime.device.images import DeviceImage
from tests.runtime.interpreted import kernels

CPU = torch.device("cpu")
OPERATIONS = pytest.mark.parametrize("operations", [kernels, twins], ids=["kernels", "twins"])

# Of one pixel; longer than two of the blocks in which a row is summed; of one row; higher than two blocks of rows.
SIZES = {(1, 1): "HWC", (2, 130): "CHW", (1, 5): "WHC", (17, 9): "flip", (7, 66): "HWC"}


def picture(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3), np.uint8)


def laid(pixels, layout):
    """An image on the device whose pixels lie in memory as decoders leave them."""
    channels_last = torch.from_numpy(pixels).permute(2, 0, 1)
    flipped = torch.from_numpy(pixels[:, ::-1].copy()).permute(2, 0, 1).flip(2)
    turned = torch.from_numpy(pixels.swapaxes(0, 1).copy()).permute(2, 1, 0)
    return DeviceImage(
        {"HWC": channels_last, "CHW": channels_last.contiguous(), "flip": flipped, "WHC": turned}[layout]
    )


def integrated(*pictures):
    """With sums of the twins: whether the kernels' are the same is a test of its own."""
    images = [laid(pixels, "HWC") for pixels in pictures]
    for image, sums in zip(images, twins.integral_images(images), strict=True):
        image.sums = sums
    return images


@OPERATIONS
def test_integral_images_of_several_sizes_and_layouts(operations, monkeypatch):
    monkeypatch.setattr(kernels, "_SCAN_COLUMNS", 64)
    monkeypatch.setattr(kernels, "_SCAN_BLOCK", (8, 64))
    pictures = [picture(*size) for size in SIZES]
    images = [laid(pixels, layout) for pixels, layout in zip(pictures, SIZES.values(), strict=True)]
    found = operations.integral_images(images)
    assert all(image.sums is None for image in images), "whoever asks keeps them"
    for sums, pixels in zip(found, pictures, strict=True):
        assert sums.dtype == torch.int32
        np.testing.assert_array_equal(sums.permute(1, 2, 0), integral_image(pixels))


# Image, level's height and width, the piece's top, left, height and width there, its tile, top and left.
PIECES = [
    (0, 20, 30, 0, 0, 20, 30, 0, 0, 0),
    # The same level, its middle only, across a block's edges.
    (0, 20, 30, 3, 5, 11, 17, 1, 2, 8),
    # Larger than the picture.
    (1, 60, 90, 10, 20, 24, 50, 2, 6, 10),
    (2, 4, 4, 0, 0, 4, 4, 1, 16, 40),
    (0, 1, 1, 0, 0, 1, 1, 1, 29, 139),
    # Wider than a block.
    (1, 13, 140, 0, 1, 12, 139, 3, 18, 1),
]
PICTURES = [picture(27, 51), picture(13, 140, 1), picture(1, 1, 2)]


@OPERATIONS
def test_pieces_of_several_images_are_drawn_in_one_launch(operations, monkeypatch):
    launches = []
    if operations is kernels:
        launch = kernels._launch
        monkeypatch.setattr(kernels, "_launch", lambda *given: launches.append(given) or launch(*given))
    patches = [
        Patch(number, Level(1.0, height, width), Piece(0, top, left, *size, tile, tile_top, tile_left), tile)
        for number, height, width, top, left, *size, tile, tile_top, tile_left in PIECES
    ]

    def drawn(arrays, images):
        return arrays.tiles([patch._replace(image=images[patch.image]) for patch in patches], 4, 30, 140)

    device = TorchArrays(CPU, operations)
    tiles = drawn(device, integrated(*PICTURES))
    expected = drawn(NUMPY, [NUMPY.image(pixels) for pixels in PICTURES])
    np.testing.assert_array_equal(tiles, expected)
    assert not expected[2, :, :, 60:].any(), "the rest stays zero"
    assert len(launches) == (1 if operations is kernels else 0)


WINDOWS = [
    (1, 70, 2, 140, 13),
    (0, 50, 26, 51, 27),
    (2, 0, 0, 1, 1),
    (0, 3, 1, 10, 27),
]


@OPERATIONS
@pytest.mark.parametrize("side", [24, pytest.param(48, marks=pytest.mark.slow)])
def test_windows_of_several_images_are_cut(operations, side):
    """Of one pixel and of many: some grow, some shrink, some grow one way and shrink the other."""
    crops = torch.full((len(WINDOWS), 3, side, side), torch.nan)
    operations.cut_crops(integrated(*PICTURES), np.array(WINDOWS, np.int64), crops)
    for crop, (number, *window) in zip(crops, WINDOWS, strict=True):
        expected = np.empty((1, 3, side, side), np.float32)
        area_crops(integral_image(PICTURES[number]), np.array([window], np.int32), expected)
        np.testing.assert_array_equal(crop, expected[0])


@OPERATIONS
def test_no_window_is_cut(operations):
    crops = torch.empty((0, 3, 24, 24))
    operations.cut_crops(integrated(PICTURES[2]), np.empty((0, 5), np.int64), crops)


TILES, HEIGHT, WIDTH = 3, 40, 46
MAPS = (TILES, cell_count(HEIGHT), cell_count(WIDTH))


def outputs():
    """Regression and probability; the scores are few, so that thresholds are among them."""
    random = np.random.RandomState(5)
    scores = (random.randint(0, 10, MAPS) / np.float32(10)).astype(np.float32)
    return random.uniform(-1, 1, (TILES, 4, *MAPS[1:])).astype(np.float32), scores


def patches_of_cells():
    """Pieces (level's top and left, height, width, tile, top and left in the tile); the last two have no cells."""
    pieces = [
        (0, 0, HEIGHT, WIDTH, 0, 0, 0),
        (100, 20, 21, 15, 1, 6, 12),
        (0, 0, 12, 12, 2, 0, 0),
        (8, 16, 14, 30, 2, 16, 4),
        (0, 0, 10, 40, 2, 30, 0),
        (0, 0, 9, 9, 1, 0, 30),
    ]
    return [Patch(None, Level(1.0, 200, 200), Piece(0, *place), place[4]) for place in pieces]


def by_place(cells):
    order = np.lexsort((cells.columns, cells.rows, cells.patches))
    return [values[order] for values in (cells.patches, cells.rows, cells.columns, cells.scores, cells.regression)]


@OPERATIONS
@pytest.mark.parametrize(
    "thresholds",
    [
        # Float32 of a score: equal to it, which counts.
        [0.7, 0.3, 0.1, 0.9, 0.6, 0.6],
        [0.9, 1.1, 1.1, 0.8, 0.6, 0.6],
        [1.1] * 6,
        [0.0] * 6,
    ],
    ids=["some", "none of a piece", "none", "all"],
)
def test_cells_that_reach_the_threshold(operations, thresholds):
    patches, (regression, probability) = patches_of_cells(), outputs()
    arrays = TorchArrays(CPU, operations)
    given = torch.from_numpy(regression), torch.from_numpy(probability)
    # Two calls, which are waited for together.
    found = [arrays.cells(given, patches, thresholds), arrays.cells(given, patches[:2], thresholds[:2])]
    whole, part = arrays.gather(found)
    expected = NUMPY.cells((regression, probability), patches, thresholds)
    for one, other in zip(by_place(whole), by_place(expected), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    expected = NUMPY.cells((regression, probability), patches[:2], thresholds[:2])
    for one, other in zip(by_place(part), by_place(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    cells_in_all = sum(cell_count(patch.piece.height) * cell_count(patch.piece.width) for patch in patches)
    assert thresholds != [0.0] * 6 or len(whole.scores) == cells_in_all


def test_more_cells_than_a_program_of_the_grid_takes():
    """Blocks of one piece are written behind one another, whichever comes first."""
    random = np.random.RandomState(6)
    regression = torch.from_numpy(random.uniform(-1, 1, (1, 4, 60, 70)).astype(np.float32))
    probability = torch.from_numpy(random.uniform(0, 1, (1, 60, 70)).astype(np.float32))
    table, thresholds = np.array([[0, 60, 70, 0, 0]], np.int64), np.array([0.5], np.float32)
    (found,) = kernels.fetched([kernels.find_cells(table, thresholds, regression, probability)])
    (expected,) = twins.fetched([twins.find_cells(table, thresholds, regression, probability)])
    assert len(expected) > 1024
    np.testing.assert_array_equal(found[np.lexsort(found.T[2::-1])], expected)


@OPERATIONS
def test_nothing_is_fetched_of_nothing(operations):
    assert operations.fetched([]) == []
    assert TorchArrays(CPU, operations).gather([]) == []
