"""Who is who, in boxes that are made up."""

import numpy as np
import pytest

from face_client import InvalidInput
from face_tools.video import Tracker


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
