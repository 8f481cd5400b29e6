"""Covered pixels: against plain loops over pixels, and what of the original is left in them."""

import math

import numpy as np
import pytest

from face_client import InvalidInput
from face_client.faces import Faces
from face_tools.blur import METHODS, SHAPES, blur_faces
from face_tools.blur.covering import CELLS, LEAST_CELL, Style, cover
from tests.pictures import astronaut, reference

FACE = [180.5, 70.25, 270, 190.75]


@pytest.fixture
def noise():
    """RGB [90, 120, 3], no two neighbours alike."""
    return np.random.RandomState(3).randint(0, 256, (90, 120, 3)).astype(np.uint8)


def rectangle(box, grow):
    """Left, top, right, bottom of every pixel that the grown box touches, one at least."""
    (left, right), (top, bottom) = sorted(box[0::2]), sorted(box[1::2])
    x, y = grow * (right - left), grow * (bottom - top)
    left, top = math.floor(left - x), math.floor(top - y)
    return left, top, max(left + 1, math.ceil(right + x)), max(top + 1, math.ceil(bottom + y))


def is_inside(column, row, around, shape):
    left, top, right, bottom = around
    if not (left <= column < right and top <= row < bottom):
        return False
    if shape == "box":
        return True
    x = (column + 0.5 - (left + right) / 2) / ((right - left) / 2)
    y = (row + 0.5 - (top + bottom) / 2) / ((bottom - top) / 2)
    return x * x + y * y <= 1 + 1e-12


def averages(patch, count):
    """[N, …] → [count, …]: a pixel belongs to the cell that its centre lies in, on the border to the earlier one."""
    cells = np.array([math.ceil((at + 0.5) * count / len(patch) - 1e-9) - 1 for at in range(len(patch))])
    return np.array([patch[cells == cell].mean(axis=0) for cell in range(count)])


def cubic(distance):
    x = abs(distance)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def enlarged(cells, size, method):
    """[N, …] → [size, …]: the cell that a pixel lies in, or the cubic through the cells around it."""
    result = []
    for pixel in range(size):
        place = (pixel + 0.5) * len(cells) / size
        if method == "pixelate":
            result.append(cells[int(place + 1e-9)])
            continue
        weights = np.array([cubic(cell + 0.5 - place) for cell in range(len(cells))])
        result.append(np.tensordot(weights / weights.sum(), cells, 1))
    return np.array(result)


def plainly(image, boxes, method, shape, grow):
    """The same with loops over pixels and exact numbers, rounded once for each box; and where the mask is."""
    result, mask = image.copy(), np.zeros(image.shape[:2], bool)
    height, width = image.shape[:2]
    for box in boxes:
        around = rectangle(box, grow)
        left, top, right, bottom = max(0, around[0]), max(0, around[1]), min(width, around[2]), min(height, around[3])
        if left >= right or top >= bottom:
            continue
        patch = result[top:bottom, left:right].astype(float)
        for axis, whole in ((0, around[3] - around[1]), (1, around[2] - around[0])):
            patch = np.moveaxis(patch, axis, 0)
            count = max(1, min(CELLS * len(patch) // whole, len(patch) // LEAST_CELL))
            patch = np.moveaxis(enlarged(averages(patch, count), len(patch), method), 0, axis)
        for row in range(top, bottom):
            for column in range(left, right):
                if is_inside(column, row, around, shape):
                    colour = 0 if method == "mask" else np.clip(patch[row - top, column - left].round(), 0, 255)
                    result[row, column], mask[row, column] = colour, True
    return result, mask


BOXES = {
    "within": [[30.2, 20.7, 71.9, 66.1]],
    "several": [[10, 10, 30, 34], [25, 15, 60, 60], [90, 50, 97, 58]],
    "beyond the border": [[-30, -22, 31, 40], [100, 70, 170, 130]],
    "beside the picture": [[-60, -60, -20, -20], [130, 20, 170, 60]],
    "turned over": [[71.9, 66.1, 30.2, 20.7]],
    "no area": [[40, 40, 40, 40], [10, 50, 40, 50], [200, 200, 200, 200]],
    "one pixel": [[50, 30, 51, 31]],
    "the whole picture": [[0, 0, 120, 90]],
    "larger than the picture": [[-500, -500, 700, 600]],
    "none": [],
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("boxes", BOXES.values(), ids=BOXES)
def test_as_plain_loops_have_it(noise, boxes, shape, method):
    before, grow = noise.copy(), 0 if shape == "box" else 0.3
    covered = blur_faces(noise, boxes, method=method, shape=shape, grow=grow)
    np.testing.assert_array_equal(noise, before)
    expected, mask = plainly(noise, boxes, method, shape, grow)
    np.testing.assert_array_equal(covered[~mask], noise[~mask])
    # Pillow rounds after each of four steps.
    assert abs(covered.astype(int) - expected).max() <= (0 if method == "mask" else 3)


def test_an_answer_of_the_client(noise):
    boxes = np.array([[10, 12, 40, 50], [60, 20, 90, 55]], np.float32)
    faces = Faces(boxes, np.ones(2, np.float32), np.zeros((2, 5, 2), np.float32), 120, 90)
    np.testing.assert_array_equal(blur_faces(noise, faces), blur_faces(noise, boxes))
    np.testing.assert_array_equal(blur_faces(noise, np.zeros((0, 4))), noise)


def test_the_ellipse_holds_the_whole_box():
    black = blur_faces(np.full((400, 400, 3), 255, np.uint8), [[100, 120, 220, 290]], method="mask")
    assert not black[120:290, 100:220].any()


@pytest.mark.parametrize("method", ["blur", "pixelate"])
def test_no_more_than_a_few_averages_of_a_face_are_left(method):
    """Two pictures whose cells average to the same cannot be told apart within the mask, however unlike they are."""
    around = rectangle(FACE, 0.3)
    width, height = around[2] - around[0], around[3] - around[1]
    box = [around[0], around[1], around[0] + width // CELLS * CELLS, around[1] + height // CELLS * CELLS]
    photo = astronaut()
    other = photo.copy()
    tall, wide = (box[3] - box[1]) // CELLS, (box[2] - box[0]) // CELLS
    for row in range(CELLS):
        for column in range(CELLS):
            cell = other[
                box[1] + row * tall : box[1] + (row + 1) * tall, box[0] + column * wide : box[0] + (column + 1) * wide
            ]
            cell[:] = np.random.RandomState(row).permutation(cell.reshape(-1, 3)).reshape(cell.shape)
    assert abs(photo.astype(int) - other).mean() > 1
    first, second = (blur_faces(picture, [box], method=method, shape="box", grow=0) for picture in (photo, other))
    left, top, right, bottom = box
    # Each cell keeps its mean; of the two passes, the first rounds it.
    assert abs(first[top:bottom, left:right].astype(int) - second[top:bottom, left:right]).max() <= 2
    if method == "pixelate":
        assert len(np.unique(first[top:bottom, left:right].reshape(-1, 3), axis=0)) <= CELLS**2


def test_a_small_face_in_a_large_one_has_no_finer_cells(noise):
    """A false face on the eye of a true one must not bring the eye back, whichever comes first."""
    large, small = [20, 10, 100, 80], [40, 30, 56, 46]
    once = blur_faces(noise, [large], method="pixelate", shape="box", grow=0)
    for boxes in ([large, small], [small, large]):
        twice = blur_faces(noise, boxes, method="pixelate", shape="box", grow=0)
        assert abs(twice[10:80, 20:100].astype(int) - once[10:80, 20:100]).mean() < 12
        assert len(np.unique(twice[10:80, 20:100].reshape(-1, 3), axis=0)) <= 2 * CELLS**2


def test_a_plane(noise):
    plane = noise[:, :, 0].copy()
    cover(plane, [[30, 20, 70, 66]], Style("mask", "box", 0), fill=16)
    assert (plane[20:66, 30:70] == 16).all()
    np.testing.assert_array_equal(plane[:20], noise[:20, :, 0])


def test_of_the_portrait_a_face_is_hidden_evenly():
    """A face of any size is left as many numbers."""
    photo = astronaut()
    box = reference("astronaut.png", 20)[0][0]
    covered = blur_faces(photo, [box])
    x1, y1, x2, y2 = box.round().astype(int)
    steps = np.abs(np.diff(covered[y1:y2, x1:x2].astype(int), axis=1)).max()
    assert steps <= 12 < np.abs(np.diff(photo[y1:y2, x1:x2].astype(int), axis=1)).max()


@pytest.mark.parametrize(
    ("image", "boxes", "options", "word"),
    [
        (np.zeros((4, 4), np.uint8), [], {}, "uint8 [4, 4]"),
        (np.zeros((4, 4, 3)), [], {}, "float64"),
        (np.zeros((4, 4, 3), np.uint8), [[1, 2, 3]], {}, "[N, 4]"),
        (np.zeros((4, 4, 3), np.uint8), [[1, 2, 3, math.nan]], {}, "not finite"),
        (np.zeros((4, 4, 3), np.uint8), [], {"method": "smear"}, "blur, pixelate, mask"),
        (np.zeros((4, 4, 3), np.uint8), [], {"shape": "star"}, "ellipse, box"),
        (np.zeros((4, 4, 3), np.uint8), [], {"grow": -0.1}, "grow is -0.1"),
        (np.zeros((4, 4, 3), np.uint8), [], {"grow": math.nan}, "grow is nan"),
    ],
)
def test_what_cannot_be_covered(image, boxes, options, word):
    with pytest.raises(InvalidInput) as caught:
        blur_faces(image, boxes, **options)
    assert word in str(caught.value)


def test_pictures_without_pixels():
    for shape in ((0, 0, 3), (0, 5, 3), (5, 0, 3)):
        assert blur_faces(np.zeros(shape, np.uint8), [[0, 0, 2, 2]]).shape == shape
