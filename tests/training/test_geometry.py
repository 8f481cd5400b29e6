"""Targets are what the cascade's own decoding turns back into faces."""

import numpy as np
import pytest

from face_cascade.boxes import cell_boxes, landmark_points, pixel_windows, refine
from face_training.samples.geometry import (
    covered,
    crop_boxes,
    landmark_targets,
    overlaps,
    pnet_boxes,
    regression_targets,
)
from tests.training.sets import slow_iou


def random_boxes(random, count):
    starts = random.uniform(-20, 200, (count, 2))
    return np.concatenate([starts, starts + random.uniform(5, 120, (count, 2))], axis=1).astype(np.float32)


def random_windows(random, count):
    starts = random.integers(0, 200, (count, 2))
    return np.concatenate([starts, starts + random.integers(12, 100, (count, 1))], axis=1).astype(np.int32)


def test_overlaps_are_the_slow_ones():
    random = np.random.default_rng(0)
    boxes, faces = random_boxes(random, 30), random_boxes(random, 7)
    expected = [[slow_iou(box, face) for face in faces] for box in boxes.tolist()]
    np.testing.assert_allclose(overlaps(boxes, faces), expected, atol=1e-6)
    assert overlaps(boxes, faces[:0]).shape == (30, 0)


def test_covered_is_a_share_of_the_box():
    box = np.array([[0, 0, 10, 10]], np.float32)
    others = np.array([[0, 0, 5, 10], [-100, -100, 100, 100], [10, 0, 20, 10]], np.float32)
    np.testing.assert_array_equal(covered(box, others), [[0.5, 1, 0]])


@pytest.mark.parametrize("plus_one", [False, True])
def test_regression_targets_decode_into_the_faces(plus_one):
    random = np.random.default_rng(1)
    boxes, faces = random_boxes(random, 500), random_boxes(random, 500)
    targets = regression_targets(boxes, faces, plus_one)
    np.testing.assert_allclose(refine(boxes, targets, plus_one), faces, atol=1e-4)
    wrong = refine(boxes, targets, not plus_one)
    assert np.abs(wrong - faces).max() > 0.1


def test_landmark_targets_decode_into_the_points():
    random = np.random.default_rng(2)
    boxes = random_boxes(random, 500)
    points = random.uniform(0, 200, (500, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(landmark_points(boxes, landmark_targets(boxes, points)), points, atol=1e-4)


def test_windows_are_what_the_cascade_crops_of_their_boxes():
    windows = random_windows(np.random.default_rng(3), 300)
    found, inside = pixel_windows(crop_boxes(windows), 1000, 1000)
    np.testing.assert_array_equal(found, windows)
    assert inside.all()


@pytest.mark.parametrize("size", [12, 24, 30, 36, 60])
def test_windows_on_a_cell_have_the_cells_box(size):
    """A window that PNet's cell sees whole is called what the cascade calls that cell."""
    scale = 12 / size
    rows, columns = np.array([0, 3, 6, 30]), np.array([0, 12, 3, 9])
    starts = np.stack([columns, rows], axis=1) * 2 * size // 12
    exact = (np.stack([columns, rows], axis=1) * 2 * size % 12 == 0).all(axis=1)
    windows = np.concatenate([starts, starts + size], axis=1).astype(np.int32)[exact]
    assert len(windows) > 1
    np.testing.assert_array_equal(pnet_boxes(windows), cell_boxes(rows[exact], columns[exact], scale))


def test_pnets_boxes_begin_a_twelfth_inside_of_their_windows():
    windows = random_windows(np.random.default_rng(4), 300)
    sizes = (windows[:, 2] - windows[:, 0])[:, None]
    boxes = pnet_boxes(windows)
    np.testing.assert_allclose(boxes[:, :2], windows[:, :2] + sizes / 12 - 0.5, atol=0.51)
    np.testing.assert_allclose(boxes[:, 2:], windows[:, 2:] - 0.5, atol=0.51)
