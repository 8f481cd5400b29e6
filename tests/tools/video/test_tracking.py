"""Who is who, in boxes that are made up, and faces of frames in which nobody looked for them."""

import numpy as np
import pytest

from face_client import Faces, InvalidInput
from face_tools.video import Tracker
from face_tools.video.tracking import between


def box(x, y, side=40):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def follow(tracker, movie, frames=None):
    """movie: for each frame {name: (x, y)}. → {name: the numbers that it had, in order, without repetition}."""
    numbers, random = {}, np.random.RandomState(5)
    for frame, scene in zip(frames or range(len(movie)), movie, strict=True):
        # The order of faces in an answer is by size, and tells nothing.
        names = random.permutation(sorted(scene))
        boxes = np.array([box(*scene[name]) for name in names], np.float32).reshape(-1, 4)
        for name, number in zip(names, tracker.update(frame, boxes), strict=True):
            if number not in numbers.setdefault(name, []):
                numbers[name].append(number)
    return numbers


def one_each(numbers):
    given = [number for (number,) in numbers.values()]
    return len(set(given)) == len(given) and None not in given


def test_numbers_start_at_one_in_the_order_of_the_faces():
    assert Tracker().update(0, np.array([box(100, 50), box(300, 50)])) == [1, 2]


def test_faces_that_move_keep_their_number():
    movie = [{"a": (50 + 8 * t, 100), "b": (600 - 10 * t, 200 + t), "c": (300, 300)} for t in range(50)]
    tracker = Tracker()
    assert one_each(follow(tracker, movie))
    assert tracker.count == 3


@pytest.mark.parametrize("apart", [15, 45])
def test_faces_that_cross_keep_their_number(apart):
    movie = [{"a": (50 + 9 * t, 100), "b": (500 - 9 * t, 100 + apart)} for t in range(50)]
    assert one_each(follow(Tracker(), movie))


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_in_every_nth_frame(stride):
    """From one look to the next a face moves by nine tenths of its width."""
    speed = 36 / stride
    frames = range(0, 10 * stride, stride)
    movie = [{"a": (50 + speed * t, 100), "b": (600 - speed * t, 220), "c": (300, 300)} for t in frames]
    assert one_each(follow(Tracker(), movie, frames))


def test_a_camera_that_turns():
    """Small faces move by three widths at once; the large one shows where to."""
    tracker = Tracker()
    first = [box(300, 200, 200), box(100, 100, 20), box(160, 300, 20)]
    assert tracker.update(0, np.array(first)) == [1, 2, 3]
    assert tracker.update(1, np.array(first)[[2, 0, 1]] + [60, 0, 60, 0]) == [3, 1, 2]


def test_a_face_that_moves_on_behind_something():
    movie = [{"a": (50 + 8 * t, 100), "b": (500, 300)} for t in range(40)]
    for t in range(15, 25):
        del movie[t]["a"]
    assert one_each(follow(Tracker(), movie))


@pytest.mark.parametrize(("missing", "is_kept"), [(5, True), (6, False)])
def test_max_age_counts_the_frames_missed(missing, is_kept):
    tracker = Tracker(max_age=5)
    face = np.array([box(100, 100)])
    tracker.update(0, face)
    for frame in range(1, 1 + missing):
        tracker.update(frame, np.zeros((0, 4)))
    assert tracker.update(1 + missing, face) == ([1] if is_kept else [2])


def test_a_stride_longer_than_max_age():
    tracker = Tracker(max_age=5)
    assert [tracker.update(frame, np.array([box(100, 100)])) for frame in (0, 20, 40)] == [[1]] * 3
    tracker.update(60, np.zeros((0, 4)))
    assert tracker.update(80, np.array([box(100, 100)])) == [2]


def test_min_hits_numbers_a_face_at_its_third_detection_in_a_row():
    tracker = Tracker(min_hits=3)
    steady, flash = box(100, 100), box(400, 300)
    scenes = [[steady], [steady, flash], [steady, flash], [steady], [steady, flash]]
    numbers = [tracker.update(frame, np.array(scene)) for frame, scene in enumerate(scenes)]
    assert numbers == [[None], [None, None], [1, None], [1], [1, None]]
    assert tracker.count == 1


def test_a_number_once_given_is_kept_through_a_miss():
    tracker = Tracker(min_hits=2)
    face, nobody = np.array([box(100, 100)]), np.zeros((0, 4))
    assert [tracker.update(t, boxes) for t, boxes in enumerate([face, face, nobody, face])] == [[None], [1], [], [1]]


def test_a_stranger_far_away_has_a_number_of_their_own():
    tracker = Tracker()
    tracker.update(0, np.array([box(100, 100)]))
    assert tracker.update(1, np.array([box(300, 100)])) == [2]


def test_another_video_goes_on_counting():
    tracker = Tracker()
    face = np.array([box(100, 100)])
    assert [tracker.update(frame, face) for frame in (0, 1, 0, 1)] == [[1], [1], [2], [2]]


def test_no_faces():
    tracker = Tracker()
    assert tracker.update(0, np.zeros((0, 4), np.float32)) == []
    assert tracker.count == 0


@pytest.mark.parametrize("wrong", [{"max_age": -1}, {"min_hits": 0}])
def test_parameters_out_of_range(wrong):
    with pytest.raises(InvalidInput, match="must be at least"):
        Tracker(**wrong)


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
