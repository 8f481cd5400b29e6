"""Pictures looked at turned: against each view looked at by itself, put back and merged in plain loops."""

import numpy as np
import pytest

from face_cascade import DetectionParameters, detect, drive
from face_cascade.boxes import pixel_windows
from face_cascade.crops import detection_crops
from face_cascade.rotations import best_views, boxes_in_picture, boxes_in_view, points_in_picture, view_size
from tests.pictures import astronaut, mixed_sizes, wall

PLAIN = DetectionParameters()
ROTATIONS = DetectionParameters(rotations=True)

HEIGHT, WIDTH = 40, 70


def find(run, images, parameters, **options):
    return drive(detect(images, parameters, **options), run)


@pytest.mark.parametrize("turn", range(4))
def test_a_box_of_a_view_holds_the_same_pixels_in_the_picture(turn):
    random = np.random.RandomState(turn)
    picture = random.randint(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    view = np.rot90(picture, turn)
    assert view.shape[:2] == view_size(turn, HEIGHT, WIDTH)
    seen = np.sort(random.randint(-5, 80, (50, 2, 2)), axis=1).reshape(50, 4).astype(np.float32)
    boxes = boxes_in_picture(seen, turn, HEIGHT, WIDTH)
    np.testing.assert_array_equal(boxes_in_view(boxes, turn, HEIGHT, WIDTH), seen)
    (in_view, is_there), (in_picture, is_too) = (
        pixel_windows(seen, *view.shape[:2]),
        pixel_windows(boxes, HEIGHT, WIDTH),
    )
    np.testing.assert_array_equal(is_there, is_too)
    assert is_there.sum() > 20
    for (x1, y1, x2, y2), (left, top, right, bottom) in zip(in_view[is_there], in_picture[is_there], strict=True):
        np.testing.assert_array_equal(view[y1:y2, x1:x2], np.rot90(picture[top:bottom, left:right], turn))


@pytest.mark.parametrize("turn", range(4))
def test_a_point_of_a_view_lies_on_the_same_pixel_of_the_picture(turn):
    numbers = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    view = np.rot90(numbers, turn)
    rows, columns = np.indices(view.shape)
    middles = np.stack([columns, rows], axis=-1).astype(np.float32) + np.float32(0.5)
    x, y = np.moveaxis(points_in_picture(middles, turn, HEIGHT, WIDTH), -1, 0)
    np.testing.assert_array_equal(numbers[np.floor(y).astype(int), np.floor(x).astype(int)], view)


def turned(picture, turn):
    """As a camera held otherwise takes it: what stands upright lies turned clockwise by 90·turn degrees."""
    return np.ascontiguousarray(np.rot90(picture, -turn))


@pytest.mark.parametrize("turn", range(4))
def test_a_turned_face_is_the_upright_one_in_its_place(networks, turn):
    """Within 0.001 pixels, and its crop to the byte."""
    picture = wall(700, 394)
    (upright,) = find(networks, [picture], [PLAIN])
    (found,) = find(networks, [turned(picture, turn)], [ROTATIONS])
    assert len(upright.boxes) > 5
    size = turned(picture, turn).shape[:2]
    places = points_in_picture(upright.landmarks, turn, *size)
    order = [int(np.abs(places - points).sum((1, 2)).argmin()) for points in found.landmarks]
    assert sorted(order) == list(range(len(places)))
    assert found.angles.dtype == np.int32
    assert found.angles.tolist() == [90 * turn] * len(order)
    np.testing.assert_allclose(found.boxes, boxes_in_picture(upright.boxes, turn, *size)[order], atol=1e-3)
    np.testing.assert_allclose(found.landmarks, places[order], atol=1e-3)
    np.testing.assert_array_equal(found.probabilities, upright.probabilities[order])
    np.testing.assert_array_equal(
        detection_crops(turned(picture, turn), found, ROTATIONS), detection_crops(picture, upright, PLAIN)[order]
    )
    aligned = DetectionParameters(align=True)
    crops = detection_crops(turned(picture, turn), found, aligned)
    # OpenCV looks up at 32 places between two pixels.
    assert np.abs(crops - detection_crops(picture, upright, aligned)[order].astype(int)).mean() < 0.5


def in_picture(x, y, turn, height, width):
    """A place in a view, one quarter turn back after the other."""
    for n in range(turn, 0, -1):
        # The view after n turns is that after n-1, which is this wide, turned once.
        before = width if n % 2 else height
        x, y = before - y, x
    return x, y


def slow_faces(run, picture):
    """Each view by itself, its faces put back in the picture one by one, and merged in plain loops."""
    height, width = picture.shape[:2]
    faces = []
    for turn in range(4):
        (found,) = find(run, [np.ascontiguousarray(np.rot90(picture, turn))], [PLAIN])
        for box, points, probability in zip(found.boxes, found.landmarks, found.probabilities, strict=True):
            (a, b), (c, d) = (
                in_picture(x, y, turn, height, width) for x, y in ((box[0] - 1, box[1] - 1), (box[2], box[3]))
            )
            place = (min(a, c) + 1, min(b, d) + 1, max(a, c), max(b, d))
            doubt = (1 - float(probability)) * (0.25 if turn == 0 else 1)
            landmarks = [in_picture(*point, turn, height, width) for point in points]
            faces.append((doubt, turn, place, landmarks, probability))
    kept = []
    for face in sorted(faces, key=lambda face: face[:2]):
        if not any(face[1] != other[1] and is_same(face[2], other[2]) for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -area(face[2]))


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def is_same(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0) > 0.5 * min(area(one), area(other))


def crowd():
    """Turned faces of several sizes next to each other, and such that are found in two views: on the slant."""
    picture = np.full((420, 610, 3), 127, np.uint8)
    face = astronaut()[20:240, 120:330]
    for n, (top, left) in enumerate([(0, 0), (5, 230), (210, 20), (200, 300)]):
        part = np.rot90(face[:: 1 + n % 2, :: 1 + n % 2], n)
        picture[top : top + part.shape[0], left : left + part.shape[1]] = part[: 420 - top, : 610 - left]
    return picture


def test_the_flow_is_each_view_by_itself_and_merged(networks):
    pictures = [crowd(), *(np.ascontiguousarray(np.rot90(p, n)) for n, p in enumerate(mixed_sizes(6)))]
    everything = find(networks, pictures, [ROTATIONS] * len(pictures))
    assert {0, 90, 180, 270} == {int(angle) for found in everything for angle in found.angles}
    for picture, found in zip(pictures, everything, strict=True):
        expected = slow_faces(networks, picture)
        assert found.angles.tolist() == [90 * face[1] for face in expected]
        np.testing.assert_allclose(found.boxes, [f[2] for f in expected] or np.empty((0, 4)), atol=1e-2)
        np.testing.assert_allclose(found.landmarks, [f[3] for f in expected] or np.empty((0, 5, 2)), atol=1e-2)
        np.testing.assert_allclose(found.probabilities, [f[4] for f in expected], atol=1e-5)


def test_batched_with_others_equals_single(networks):
    """With images of other parameters beside, and where the pixels of a batch do not go together."""
    pictures = [crowd(), crowd(), *mixed_sizes(4)]
    parameters = [ROTATIONS, PLAIN, *[ROTATIONS, PLAIN] * 2]
    together = find(networks, pictures, parameters)
    in_groups = find(networks, pictures, parameters, most_pixels=420 * 610 * 2)
    for picture, asked, *found in zip(pictures, parameters, together, in_groups, strict=True):
        (alone,) = find(networks, [picture], [asked])
        for one in found:
            np.testing.assert_array_equal(one.angles, alone.angles)
            np.testing.assert_allclose(one.boxes, alone.boxes, atol=1e-2)
            np.testing.assert_allclose(one.landmarks, alone.landmarks, atol=1e-2)
    assert not together[1].angles.any()


def test_so_many_pixels_go_together_whatever_they_are_of(networks):
    """An image of the limit has its views looked at one after the other."""
    flow = detect([crowd(), crowd()], [ROTATIONS, PLAIN], most_pixels=420 * 610)
    stages = []
    step = next(flow)
    while True:
        stages.append((step.stage, len(step.flows)))
        try:
            step = flow.send([drive(part, networks) for part in step.flows])
        except StopIteration:
            break
    assert [count for stage, count in stages if stage == "integral"] == [1] * 5


def test_the_choice_of_faces_comes_after_the_views_are_merged(networks):
    picture = crowd()
    (everything,) = find(networks, [picture], [ROTATIONS])
    for choice in ({"max_faces": 2}, {"selection": "largest"}):
        (chosen,) = find(networks, [picture], [DetectionParameters(rotations=True, **choice)])
        np.testing.assert_array_equal(chosen.boxes, everything.boxes[: len(chosen.boxes)])
        assert len(chosen.boxes) == choice.get("max_faces", 1)


BOX, MOST_OF_IT, BESIDE = (10, 10, 50, 60), (14, 22, 56, 63), (48, 10, 88, 60)


@pytest.mark.parametrize(
    ("faces", "kept"),
    [
        # The upright view stays, also where another is likelier by a little.
        ([(BOX, 0.9, 0), (MOST_OF_IT, 0.95, 1)], [0]),
        ([(BOX, 1, 0), (MOST_OF_IT, 1, 1), (BOX, 1, 3)], [0]),
        # Another counts where a quarter of the doubt is left.
        ([(BOX, 0.8, 0), (MOST_OF_IT, 0.96, 2)], [1]),
        # Among those the likeliest, and the lesser turn among equals.
        ([(BOX, 0.8, 1), (MOST_OF_IT, 0.9, 2), (BOX, 0.7, 3)], [1]),
        ([(BOX, 0.8, 1), (MOST_OF_IT, 0.8, 2)], [0]),
        # Other faces stay, and what one view shows twice it shows twice.
        ([(BOX, 0.8, 0), (BESIDE, 0.99, 1)], [0, 1]),
        ([(BOX, 0.99, 0), (MOST_OF_IT, 0.8, 0)], [0, 1]),
        # What is gone takes nothing with it.
        ([(BOX, 0.99, 0), ((14, 22, 80, 63), 0.9, 1), ((45, 22, 90, 63), 0.8, 2)], [0, 2]),
        ([], []),
    ],
)
def test_a_face_is_of_one_view(faces, kept):
    boxes = np.array([box for box, _, _ in faces], np.float32).reshape(-1, 4)
    probabilities = np.array([probability for _, probability, _ in faces], np.float32)
    turn = np.array([turn for _, _, turn in faces], np.int32)
    assert best_views(boxes, probabilities, turn).tolist() == kept


@pytest.mark.parametrize("seed", range(5))
def test_many_faces_are_each_of_one_view(seed):
    """As plain loops find it, where most faces overlap others, of their own view too."""
    random = np.random.RandomState(seed)
    start = random.uniform(0, 400, (500, 2))
    boxes = np.concatenate([start, start + random.uniform(0, 80, (500, 2))], axis=1).astype(np.float32)
    probabilities = random.uniform(0.7, 1, 500).astype(np.float32)
    turn = random.randint(0, 4, 500).astype(np.int32)
    doubt = (1 - probabilities) * np.where(turn == 0, np.float32(0.25), np.float32(1))
    kept = list[int]()
    for i in np.argsort(doubt, kind="stable"):
        if not any(turn[i] != turn[j] and is_same(boxes[i], boxes[j]) for j in kept):
            kept.append(int(i))
    assert best_views(boxes, probabilities, turn).tolist() == sorted(kept)
    assert 50 < len(kept) < 450
