"""Aligned crops against the textbook's transform and a sampler in plain loops."""

import math

import numpy as np
import pytest

from face_cascade.crops import TEMPLATE, aligned_crops, similarity_transforms, template_points
from tests.pictures import astronaut, reference


def umeyama(points, targets):
    """Equations 40 to 43 of Umeyama 1991: rotation, scale and shift by singular values; [2,3]."""
    n, dimensions = points.shape
    mean_p, mean_t = points.mean(axis=0), targets.mean(axis=0)
    covariance = (targets - mean_t).T @ (points - mean_p) / n
    u, singular, vt = np.linalg.svd(covariance)
    signs = np.ones(dimensions)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        signs[-1] = -1
    rotation = u @ np.diag(signs) @ vt
    scale = (singular * signs).sum() / ((points - mean_p) ** 2).sum() * n
    return np.column_stack([scale * rotation, mean_t - scale * rotation @ mean_p])


def sampled(image, transform, size):
    """Each pixel the average of as many bilinear look-ups as it stands for; black outside of the image."""
    inverse = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))
    fine = max(1, math.ceil(1 / math.hypot(*transform[:, 0])))
    steps = (np.arange(fine) + 0.5) / fine - 0.5
    padded = np.pad(image.astype(float), ((1, 1), (1, 1), (0, 0)))
    crop = np.empty((size, size, 3))
    for row in range(size):
        for column in range(size):
            values = []
            for dy in steps:
                for dx in steps:
                    x, y, _ = inverse @ (column + dx, row + dy, 1)
                    values.append(bilinear(padded, x + 1, y + 1))
            crop[row, column] = np.mean(values, axis=0)
    return crop


def bilinear(image, x, y):
    x, y = np.clip(x, 0, image.shape[1] - 1.001), np.clip(y, 0, image.shape[0] - 1.001)
    left, top = int(x), int(y)
    x, y = x - left, y - top
    above = (1 - x) * image[top, left] + x * image[top, left + 1]
    below = (1 - x) * image[top + 1, left] + x * image[top + 1, left + 1]
    return (1 - y) * above + y * below


def face(size=100.0, angle=0.0, x=0.0, y=0.0):
    """Landmarks FP32 [1,5,2] as the template has them, turned, and moved to (x, y)."""
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (((TEMPLATE - 0.5) @ turn + 0.5) * size + (x, y)).astype(np.float32)[None]


@pytest.mark.parametrize("seed", range(20))
def test_transforms_are_umeyamas(seed):
    random = np.random.RandomState(seed)
    points = random.uniform(-500, 3000, (7, 5, 2))
    targets = random.uniform(0, 200, (5, 2))
    expected = np.stack([umeyama(p, targets) for p in points])
    np.testing.assert_allclose(similarity_transforms(points, targets), expected, rtol=1e-9, atol=1e-9)


def test_landmarks_that_fit_go_where_the_template_has_them():
    points = face(size=87, angle=0.7, x=300, y=40)
    (transform,) = similarity_transforms(points, template_points(160, 32))
    moved = points[0] @ transform[:, :2].T + transform[:, 2]
    np.testing.assert_allclose(moved, template_points(160, 32), atol=1e-4)


def test_a_mirrored_face_is_not_mirrored_back():
    points = face() * (-1, 1)
    (transform,) = similarity_transforms(points, template_points(112, 0))
    assert np.linalg.det(transform[:, :2]) >= 0


def test_the_template_of_112_pixels_is_arcfaces():
    np.testing.assert_allclose(template_points(112, 0)[2], [56.0252, 71.7366])


def test_the_template_shows_the_same_at_any_size():
    edges = [(template_points(size, size // 4) + 0.5) / size for size in (112, 160, 320)]
    np.testing.assert_allclose(edges[0], edges[1])
    np.testing.assert_allclose(edges[0], edges[2])


def test_a_margin_shrinks_the_template_towards_the_centre():
    np.testing.assert_allclose(template_points(200, 40), template_points(160, 0) + 20)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("landmarks", "size", "margin"),
    [
        (face(60, 0.3, 200, 90), 40, 0),
        (face(120, -0.4, 160, 90), 24, 5),
        (face(20, 2.5, 250, 150), 64, 0),
        (face(150, 0.2, -60, 420), 32, 0),
    ],
    ids=["as large", "shrinks", "grows, upside down", "past the border"],
)
def test_crops_are_what_plain_sampling_gives(landmarks, size, margin):
    # A photo: OpenCV places look-ups on 1/32 of a pixel, which on noise would be any grey level.
    image = astronaut()
    (crop,) = aligned_crops(image, landmarks, size, margin)
    (transform,) = similarity_transforms(landmarks, template_points(size, margin))
    difference = np.abs(sampled(image, transform, size) - crop)
    assert difference.mean() < 0.7
    assert np.quantile(difference, 0.99) < 6


def test_the_same_view_in_another_size():
    landmarks = reference("astronaut.png", 20)[1].astype(np.float32)
    large = aligned_crops(astronaut(), landmarks, 320, 64)
    small = aligned_crops(astronaut(), landmarks, 320, 64, 160)
    halved = large.reshape(1, 160, 2, 160, 2, 3).mean(axis=(2, 4))
    assert small.shape == (1, 160, 160, 3)
    assert np.abs(halved - small).mean() < 1


def test_eyes_of_a_photo_come_to_lie_level():
    landmarks = reference("astronaut.png", 20)[1].astype(np.float32)
    (transform,) = similarity_transforms(landmarks, template_points(160, 0))
    moved = landmarks[0] @ transform[:, :2].T + transform[:, 2]
    assert abs(moved[0, 1] - moved[1, 1]) < 2
    np.testing.assert_allclose(moved, template_points(160, 0), atol=8)


def test_many_faces_are_each_alone():
    image = astronaut()
    landmarks = np.concatenate([face(60 + 5 * n, n / 3, 30 * n, 20 * n) for n in range(8)])
    together = aligned_crops(image, landmarks, 48, 4)
    for n in range(8):
        np.testing.assert_array_equal(together[n], aligned_crops(image, landmarks[n : n + 1], 48, 4)[0])


def test_no_faces_and_faces_that_are_none():
    image = astronaut()
    assert aligned_crops(image, np.empty((0, 5, 2), np.float32), 160, 0).shape == (0, 160, 160, 3)
    for points in (np.full((1, 5, 2), 77.7, np.float32), face(50, 0, 5000, 5000), face(1e-30, 0, 9, 9)):
        crops = aligned_crops(image, points, 20, 0)
        assert crops.shape == (1, 20, 20, 3)
    assert not aligned_crops(image, face(50, 0, 5000, 5000), 20, 0).any()


def test_a_face_as_wide_as_a_picture_that_opencv_would_not_warp():
    image = np.zeros((40, 40_000, 3), np.uint8)
    image[:, 20_000:] = 255
    (crop,) = aligned_crops(image, face(40_000, 0, 0, -20_000), 64, 0)
    assert crop.shape == (64, 64, 3)
    (crop,) = aligned_crops(image, face(40, 0, 39_000, 0), 64, 0)
    assert (crop[8:56] == 255).all()
