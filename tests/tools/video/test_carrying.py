"""Faces of frames in which nobody looked for them."""

import numpy as np

from face_client import Faces
from face_tools.video.tracking import between


def faces(*corners, probability=0.9):
    """A face of 10 x 10 pixels at each corner."""
    boxes = np.array([[x, y, x + 10, y + 10] for x, y in corners], np.float32).reshape(-1, 4)
    landmarks = np.repeat(boxes[:, None, :2] + 3, 5, axis=1)
    return Faces(boxes, np.full(len(boxes), probability, np.float32), landmarks, 100, 80)


def test_matched_faces_are_on_their_straight_way():
    before, after = faces((0, 0), (50, 40), probability=0.8), faces((54, 40), (20, 8), probability=1.0)
    carried = between(before, (1, 2), after, (2, 1), 0.25)
    np.testing.assert_allclose(carried.boxes, [[5, 2, 15, 12], [51, 40, 61, 50]])
    np.testing.assert_allclose(carried.landmarks[:, 2], [[8, 5], [54, 43]])
    np.testing.assert_allclose(carried.probabilities, [0.85, 0.85])
    assert (carried.width, carried.height) == (100, 80)


def test_the_ends():
    before, after = faces((0, 0)), faces((20, 8))
    np.testing.assert_allclose(between(before, (7,), after, (7,), 0.0).boxes, before.boxes)
    np.testing.assert_allclose(between(before, (7,), after, (7,), 1.0).boxes, after.boxes)


def test_who_is_gone_or_has_no_number_stays_and_who_is_new_is_not_there_yet():
    before, after = faces((0, 0), (30, 30), (60, 60)), faces((10, 0), (90, 90), (64, 60))
    carried = between(before, (1, 2, None), after, (1, 3, None), 0.5)
    np.testing.assert_allclose(carried.boxes[:, 0], [5, 30, 60])


def test_what_was_detected_is_not_changed():
    before, after = faces((0, 0)), faces((20, 8))
    between(before, (1,), after, (1,), 0.5)
    np.testing.assert_array_equal(before.boxes, faces((0, 0)).boxes)


def test_nobody():
    assert len(between(faces(), (), faces((0, 0)), (1,), 0.5)) == 0
    assert len(between(faces((0, 0)), (1,), faces(), (), 0.5)) == 1
