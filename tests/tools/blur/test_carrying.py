"""Masks of videos: through gaps, before the first and after the last sighting, not over cuts; and how far they lag."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from face_client import ServerUnavailable
from face_client.faces import Faces
from face_tools.blur.carrying import carried, tracker_for
from face_tools.blur.selecting import Everybody
from face_tools.video.frames import Frame, FrameFaces

RATE = 10
PICTURE = SimpleNamespace(width=100, height=80)


def answer(index, sightings, scene=1, detected=True, error=None, time=None):
    """sightings: [(track, x)] of boxes that are 10 wide."""
    boxes = np.array([[x, 5, x + 10, 25] for _, x in sightings], np.float32).reshape(-1, 4)
    count = len(boxes)
    faces = Faces(boxes, np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32), 100, 80)
    frame = Frame(index, index / RATE if time is None else time, PICTURE)
    return FrameFaces(frame, faces, tuple(track for track, _ in sightings), detected, error, scene)


def masks(answers, **options):
    """[{track: x of its mask}] by frame."""
    result = list(carried(iter(answers), Everybody(), **options))
    assert [frame.index for frame, _ in result] == [given.frame.index for given in answers]
    return [{mask.track: round(float(mask.box[0]), 2) for mask in found} for _, found in result]


def test_held_before_and_after():
    answers = [answer(index, [(1, 40)] if index in (5, 6) else []) for index in range(12)]
    found = masks(answers, hold=0.3, max_age=3)
    assert [index for index, tracks in enumerate(found) if tracks == {1: 40}] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert [tracks for tracks in masks(answers, hold=0) if tracks] == [{1: 40}, {1: 40}]


def test_a_face_that_moves_is_covered_where_it_was_and_where_it_goes():
    """20 pixels a frame, seen in frames 4 to 6; its box is 10 wide."""
    answers = [answer(index, [(1, 20 * index)] if 4 <= index <= 6 else []) for index in range(11)]
    found = [faces[0].box[[0, 2]].tolist() if faces else None for _, faces in carried(answers, Everybody(), hold=0.2)]
    expected = [None, None, [40, 90], [60, 90], [80, 90], [100, 110], [120, 130], [120, 150], [120, 170], None, None]
    assert [None if box is None else np.round(box, 3).tolist() for box in found] == expected


def test_between_two_sightings_on_the_straight_way():
    answers = [answer(index, [(1, 10 * index)] if index in (2, 6) else []) for index in range(9)]
    found = masks(answers, hold=0, max_age=5)
    assert [tracks.get(1) for tracks in found] == [None, None, 20, 30, 40, 50, 60, None, None]


def test_by_time_not_by_number_of_frames():
    times = [0, 0.1, 0.5, 1.0]
    answers = [answer(index, [(1, 0)] if index == 0 else [], time=time) for index, time in enumerate(times[:-1])]
    answers.append(answer(3, [(1, 100)], time=1.0))
    assert [tracks[1] for tracks in masks(answers, hold=0, max_age=5)] == [0, 10, 50, 100]


def test_not_over_a_cut():
    """Not held, and not on the way to the same number behind it."""
    answers = [answer(index, [(1, 40)] if index in (2, 7) else [], scene=1 + (index >= 5)) for index in range(10)]
    found = masks(answers, hold=0.9, max_age=9)
    assert [tracks.get(1) for tracks in found] == [40] * 10
    answers[7] = answer(7, [], scene=2)
    assert [tracks.get(1) for tracks in masks(answers, hold=0.9, max_age=9)] == [40] * 5 + [None] * 5


def test_faces_without_a_number_are_held_too_each_by_itself():
    answers = [answer(index, [(None, 10), (None, 60)] if index == 4 else []) for index in range(9)]
    found = [[float(mask.box[0]) for mask in faces] for _, faces in carried(answers, Everybody(), hold=0.2, max_age=2)]
    assert found == [[], [], [10, 60], [10, 60], [10, 60], [10, 60], [10, 60], [], []]


def test_with_a_stride_faces_are_never_held_for_less_than_it():
    """A face that is new in frame 4 may have come at frame 1; what is carried there already is not believed."""
    answers = [answer(index, [(1, 40)] if index == 4 else [], detected=index % 4 == 0) for index in range(12)]
    answers[5] = answer(5, [(1, 40)], detected=False)
    found = masks(answers, hold=0, stride=4)
    assert [index for index, tracks in enumerate(found) if tracks] == list(range(1, 8))


def test_a_frame_without_an_answer_ends_it():
    answers = [answer(0, []), answer(1, [], error=ServerUnavailable("gone"), detected=False), answer(2, [])]
    with pytest.raises(ServerUnavailable):
        list(carried(answers, Everybody()))


def plainly(answers, hold):
    """Every track's mask in every frame, looking at the whole clip."""
    sightings = {}
    for given in answers:
        for track, face in zip(given.tracks, given.faces, strict=True):
            sightings.setdefault((given.scene, track), []).append((given.frame, float(face.box[0])))
    result = []
    for given in answers:
        here = {}
        for (scene, track), seen in sightings.items():
            before = [(frame, x) for frame, x in seen if frame.index <= given.frame.index]
            after = [(frame, x) for frame, x in seen if frame.index >= given.frame.index]
            if scene != given.scene:
                continue
            if before and after:
                (first, x), (second, y) = before[-1], after[0]
                share = 0 if first is second else (given.frame.time - first.time) / (second.time - first.time)
                here[track] = x + share * (y - x)
            else:
                nearest_first = before[::-1] or after
                frame, x = nearest_first[0]
                if abs(given.frame.time - frame.time) > hold + 1e-6:
                    continue
                there, y = [each for each in nearest_first if abs(each[0].time - frame.time) <= hold + 1e-6][-1]
                speed = 0 if there is frame else (x - y) / (frame.time - there.time)
                here[track] = min(x, x + speed * (given.frame.time - frame.time))
        result.append({track: round(x, 2) for track, x in here.items()})
    return result


@pytest.mark.parametrize("seed", range(20))
def test_random_clips_against_a_look_at_the_whole(seed):
    """Tracks as a tracker gives them: one that is missing for more than max_age frames does not come back."""
    random = np.random.RandomState(seed)
    max_age, hold = int(random.randint(0, 8)), float(random.choice([0, 0.25, 0.5]))
    answers, last, number = [], {}, 3
    cuts = set(random.choice(60, 2))
    scene, time = 1, 0.0
    for index in range(60):
        scene += index in cuts
        time += float(random.choice([0.05, 0.1, 0.2]))
        sightings = []
        for lane in range(3):
            track, seen = last.get(lane, (lane, index))
            if index - seen > max_age + 1:
                number += 1
                track = number
            if random.rand() < 0.5:
                sightings.append((track, int(random.randint(90))))
                last[lane] = track, index
        answers.append(answer(index, sightings, scene, time=time))
    assert masks(answers, hold=hold, max_age=max_age) == plainly(answers, hold)


def test_no_more_frames_wait_than_are_held():
    """In an endless video too; and after a cut nothing of the scene before it waits."""
    given = 0

    def answers():
        nonlocal given
        for index in range(500):
            given += 1
            yield answer(index, [(1, 40)], scene=1 + index // 100)

    most = 0
    for out, (frame, _) in enumerate(carried(answers(), Everybody(), hold=0.5, max_age=5)):
        assert frame.index == out
        most = max(most, given - out)
    assert most <= 13


class Named:
    """Covers all who are not Anna, by the majority around; persons: what a box is taken for, by its place."""

    needs_embeddings = True

    def persons(self, faces):
        return ["Anna" if face.box[0] < 50 else None for face in faces]

    def covers(self, near, ever):
        assert set(near) <= set(ever)
        return near["Anna"] * 2 <= sum(near.values())


def test_a_track_is_judged_as_one():
    xs = [40, 40, 60, 40, 40, 60]
    answers = [answer(index, [(1, x), (2, 90)]) for index, x in enumerate(xs)]
    result = list(carried(answers, Named(), hold=0.9, max_age=9))
    for _, (anna, other) in result:
        assert (anna.covers, anna.person) == (False, "Anna")
        assert (other.covers, other.person) == (True, None)


def test_a_track_that_goes_over_to_somebody_else():
    """It was Anna's for long; who comes after her is not shown for it."""
    answers = [answer(index, [(1, 40 if index < 50 else 60)]) for index in range(80)]
    covered = [faces[0].covers for _, faces in carried(answers, Named(), hold=0.5, max_age=5)]
    assert covered == [index >= 50 for index in range(80)]


def test_who_a_track_is_between_sightings():
    """With the votes of the sightings around; nobody is asked about a face without any."""
    answers = [answer(index, [(1, 40)] if index in (0, 9) else [], detected=index % 9 == 0) for index in range(10)]
    masks_of = [faces[0] for _, faces in carried(answers, Named(), hold=0, stride=9)]
    assert [mask.person for mask in masks_of] == ["Anna"] * 10


def test_a_tracker_for_it():
    assert tracker_for(0.5, Fraction(25)).max_age == 13
    assert tracker_for(0, Fraction(25)).max_age == 0
