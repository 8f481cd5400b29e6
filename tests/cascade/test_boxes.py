"""Box arithmetic against the reference's formulas, box by box."""

import numpy as np
import torch

from face_cascade.boxes import cell_boxes, landmark_points, pixel_windows, refine, squared

RNG = np.random.RandomState(11)
BOXES = np.concatenate([RNG.uniform(-20, 80, (50, 2)), RNG.uniform(81, 200, (50, 2))], axis=1).astype(np.float32)


def test_cell_boxes_round_as_torch_does_in_float32():
    cells = np.arange(2000)
    for scale in (0.6, 0.6 * 0.709, 0.6 * 0.709**2, 12 / 37):
        torch_cells = torch.arange(2000).float()
        start = ((2 * torch_cells + 1) / scale).floor().numpy()
        end = ((2 * torch_cells + 12) / scale).floor().numpy()
        boxes = cell_boxes(cells, cells[::-1], scale)
        np.testing.assert_array_equal(boxes, np.stack([start[::-1], start, end[::-1], end], axis=1))
    # The trap: in float64 the quotients of the first scale round to other pixels.
    assert ((2 * cells + 1) / 0.6 // 1 != ((2 * torch.arange(2000).float() + 1) / 0.6).floor().numpy()).any()


def test_refine_scales_by_the_size_with_and_without_one():
    regression = RNG.uniform(-0.2, 0.2, (50, 4)).astype(np.float32)
    for plus_one in (False, True):
        refined = refine(BOXES, regression, plus_one)
        for (x1, y1, x2, y2), r, got in zip(BOXES, regression, refined, strict=True):
            width, height = x2 - x1 + plus_one, y2 - y1 + plus_one
            want = [x1 + r[0] * width, y1 + r[1] * height, x2 + r[2] * width, y2 + r[3] * height]
            np.testing.assert_allclose(got, want, rtol=1e-5)


def test_squared_keeps_centre_and_longer_side():
    squares = squared(BOXES)
    sizes = squares[:, 2:] - squares[:, :2]
    np.testing.assert_allclose(sizes[:, 0], sizes[:, 1], rtol=1e-5)
    np.testing.assert_allclose(sizes[:, 0], (BOXES[:, 2:] - BOXES[:, :2]).max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(squares[:, :2] + squares[:, 2:], BOXES[:, :2] + BOXES[:, 2:], rtol=1e-4)


def test_pixel_windows_are_cut_to_the_image():
    boxes = np.array(
        [[1, 1, 10, 10], [-5.9, 0.5, 3.9, 200], [50, 5, 60, 8], [-9, -9, -2, -2], [1e30, 0, 3e38, 5]],
        np.float32,
    )
    windows, inside = pixel_windows(boxes, height=100, width=40)
    assert windows[:2].tolist() == [[0, 0, 10, 10], [0, 0, 3, 100]]
    assert inside.tolist() == [True, True, False, False, False]


def test_landmarks_are_relative_to_the_box():
    landmarks = RNG.uniform(0, 1, (50, 10)).astype(np.float32)
    points = landmark_points(BOXES, landmarks)
    assert points.shape == (50, 5, 2)
    for n, (x1, y1, x2, y2) in enumerate(BOXES):
        for k in range(5):
            x = (x2 - x1 + 1) * landmarks[n, k] + x1 - 1
            y = (y2 - y1 + 1) * landmarks[n, 5 + k] + y1 - 1
            np.testing.assert_allclose(points[n, k], [x, y], rtol=1e-4, atol=1e-4)


def test_no_boxes():
    none = np.empty((0, 4), np.float32)
    assert squared(none).shape == refine(none, none, True).shape == (0, 4)
    assert landmark_points(none, np.empty((0, 10), np.float32)).shape == (0, 5, 2)
    assert pixel_windows(none, 5, 5)[0].shape == (0, 4)
