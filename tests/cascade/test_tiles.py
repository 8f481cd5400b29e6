"""Tiles: PNet on tiles gives each cell of each level once, with the value that the whole level gives."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from face_cascade import tiles
from face_cascade.networks import PNET_STRIDE
from face_cascade.tiles import TILE_SIZE, cell_count, cut, cut_evenly, plan_pieces, plan_tiles, pyramid_levels
from face_export.mtcnn import PNet


@given(st.integers(6, 1500).map(lambda half: 2 * half))
@example(TILE_SIZE)
@example(TILE_SIZE - 2)
@example(TILE_SIZE + 2)
def test_pieces_of_a_side_hold_each_cell_once(size):
    cells = [start // PNET_STRIDE + cell for start, length in cut(size) for cell in range(cell_count(length))]
    assert cells == list(range(cell_count(size)))
    assert all(length <= TILE_SIZE and start % PNET_STRIDE == 0 for start, length in cut(size))


@given(st.integers(12, 3000), st.integers(16, 600).map(lambda half: 2 * half))
@example(TILE_SIZE, TILE_SIZE)
@example(TILE_SIZE + 1, TILE_SIZE)
@example(TILE_SIZE + 2, TILE_SIZE)
def test_even_pieces_of_a_side_hold_each_cell_once_and_are_as_few_as_can_be(size, longest):
    pieces = cut_evenly(size, longest)
    cells = [start // PNET_STRIDE + cell for start, length in pieces for cell in range(cell_count(length))]
    assert cells == list(range(cell_count(size)))
    lengths = [length for _, length in pieces]
    # One that ends with the side may be odd.
    assert all(length <= longest for length in lengths[:-1])
    assert lengths[-1] <= longest + size % 2
    assert max(lengths) - min(lengths) <= PNET_STRIDE + 1
    if longest == TILE_SIZE:
        assert len(pieces) == len(cut(size - size % 2))


def of_level(piece, cells):
    """The piece's part of a level's array of cells."""
    top, left = piece.level_top // PNET_STRIDE, piece.level_left // PNET_STRIDE
    return cells[..., top : top + cell_count(piece.height), left : left + cell_count(piece.width)]


def of_tile(piece, cells):
    top, left = piece.tile_top // PNET_STRIDE, piece.tile_left // PNET_STRIDE
    return cells[..., top : top + cell_count(piece.height), left : left + cell_count(piece.width)]


sides = st.integers(12, 620)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(sides, sides), max_size=12))
def test_plan_covers_every_cell_of_every_level_once(shapes):
    seen = [np.zeros((cell_count(h), cell_count(w)), int) for h, w in shapes]
    for sheet in plan_tiles([tuple(shapes)]):
        for piece in sheet.pieces:
            of_level(piece, seen[piece.level])[...] += 1
        assert sheet.in_tiles(0, sheet.tile_count) == sheet.pieces
    assert all((cells == 1).all() for cells in seen)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(sides, sides), max_size=4), max_size=6))
def test_plan_of_a_batch_covers_the_levels_of_all_images_once(images):
    seen = [np.zeros((cell_count(h), cell_count(w)), int) for shapes in images for h, w in shapes]
    for sheet in plan_tiles([tuple(shapes) for shapes in images]):
        taken = np.zeros((sheet.tile_count, sheet.height, sheet.width), int)
        assert [piece.tile for piece in sheet.pieces] == sorted(piece.tile for piece in sheet.pieces)
        for piece in sheet.pieces:
            of_level(piece, seen[piece.level])[...] += 1
            bottom, right = piece.tile_top + piece.height, piece.tile_left + piece.width
            taken[piece.tile, piece.tile_top : bottom, piece.tile_left : right] += 1
        assert taken.max(initial=0) <= 1
        assert taken.any(axis=(1, 2)).all(), "a tile without a piece"
    assert all((cells == 1).all() for cells in seen)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(sides, sides), max_size=4), max_size=6), st.integers(1, 64))
def test_pieces_of_a_batch_cover_the_levels_of_all_images_once(images, workers):
    seen = [np.zeros((cell_count(h), cell_count(w)), int) for shapes in images for h, w in shapes]
    sheets = plan_pieces(tuple(tuple(shapes) for shapes in images), workers)
    for sheet in sheets:
        (piece,) = sheet.in_tiles(0, sheet.tile_count)
        assert (piece.height, piece.width) == (sheet.height, sheet.width)
        of_level(piece, seen[piece.level])[...] += 1
    assert all((cells == 1).all() for cells in seen)
    sizes = [sheet.height * sheet.width for sheet in sheets]
    assert sizes == sorted(sizes, reverse=True)


def test_many_workers_all_have_some_of_a_picture():
    levels = tuple((level.height, level.width) for level in pyramid_levels(1080, 1920, 20, 0.709))
    for workers in (1, 2, 8, 16):
        sizes = [sheet.height * sheet.width for sheet in plan_pieces((levels,), workers)]
        assert max(sizes) <= 1.2 * sum(sizes) / workers


def test_images_share_tiles():
    levels = tuple((level.height, level.width) for level in pyramid_levels(480, 640, 20, 0.709))
    alone, together = plan_tiles([levels])[0], plan_tiles([levels] * 8)[0]
    assert together.tile_count <= 0.9 * 8 * alone.tile_count


def test_plans_are_kept_and_never_more_than_is_said():
    levels = [
        tuple((level.height, level.width) for level in pyramid_levels(480, 640 + n, 20, 0.709)) for n in range(99)
    ]
    assert plan_tiles(levels[:1]) is plan_tiles(levels[:1])
    assert plan_tiles(levels[:3]) is plan_tiles(levels[:3])
    for shapes in levels:
        plan_tiles([shapes])
        plan_tiles([shapes, shapes])
    assert (tiles._plan.cache_info().currsize, tiles._plan_batch.cache_info().currsize) == (64, 16)
    huge = ((6000, 6000),)
    assert plan_tiles([huge]) == plan_tiles([huge])
    assert plan_tiles([huge]) is not plan_tiles([huge])


@pytest.mark.parametrize(
    "shape",
    [(12, 12), (13, 13), (12, 13), (13, 40), (97, 133), (256, 257), (257, 256), (300, 511), (503, 271)],
)
def test_pnet_on_tiles_equals_pnet_on_the_level(shape):
    torch.manual_seed(1)
    network = PNet().eval()
    level = torch.rand(3, *shape) * 2 - 1
    with torch.inference_mode():
        whole = network(level[None])[0][0].numpy()
        # Others share the tiles; what lies around a piece would show if it leaked into its cells.
        images = ((shape, (31, 45)), ((60, 23), (131, 257)))
        for sheet in (*plan_tiles(images), *plan_pieces(images, 2)):
            batch = torch.full((sheet.tile_count, 3, sheet.height, sheet.width), 50.0)
            mine = [piece for piece in sheet.pieces if piece.level == 0]
            for piece in mine:
                rows = slice(piece.tile_top, piece.tile_top + piece.height)
                columns = slice(piece.tile_left, piece.tile_left + piece.width)
                batch[piece.tile, :, rows, columns] = level[
                    :,
                    piece.level_top : piece.level_top + piece.height,
                    piece.level_left : piece.level_left + piece.width,
                ]
            outputs = network(batch)[0].numpy()
            for piece in mine:
                np.testing.assert_allclose(of_tile(piece, outputs[piece.tile]), of_level(piece, whole), atol=1e-5)
