"""The measures of a face's quality: each falls, or rises, under the degradation that it is to see."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from face_client.faces import Faces
from face_gallery.quality import DEFAULT_GATE, LIMITS, Gate, Quality
from tests.pictures import astronaut

# Eyes, nose and corners of the mouth in units of their distance: right, down, towards the viewer.
HEAD = np.array([(-0.43, 0, 0), (0.43, 0, 0), (0, 0.6, 0.4), (-0.36, 1, 0), (0.36, 1, 0)])

# Where the face of the portrait is.
BOX = (177, 70, 267, 190)


def landmarks(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """[5, 2] of that head, 40 pixels from eyes to mouth, turned by degrees: to the side, up, clockwise."""
    y, p, r = np.radians([yaw, pitch, roll])
    side = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    up = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    over = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return (40 * HEAD @ (over @ up @ side).T)[:, :2] + 100


def crop_of(picture: Image.Image, box=BOX) -> np.ndarray:
    """As the server cuts it."""
    return np.asarray(picture.crop(box).resize((160, 160), Image.Resampling.BILINEAR))


def quality(
    crop: np.ndarray | None = None, points: np.ndarray | None = None, box=(0, 0, 90, 120), angle=None
) -> Quality:
    faces = Faces(
        boxes=np.array([box], np.float32),
        probabilities=np.array([0.99], np.float32),
        landmarks=(landmarks() if points is None else points).astype(np.float32)[np.newaxis],
        width=200,
        height=200,
        crops=None if crop is None else crop[np.newaxis],
        angles=None if angle is None else np.array([angle], np.int32),
    )
    return Quality.of(faces[0])


@pytest.fixture(scope="module")
def portrait():
    return Image.fromarray(astronaut())


def assert_falls(values) -> None:
    assert all(later < earlier for earlier, later in itertools.pairwise(values)), values


def test_a_good_face_passes(portrait):
    measured = quality(crop_of(portrait))
    assert DEFAULT_GATE.refusals(measured) == []
    assert (measured.size, measured.probability) == (90, 0.99)
    assert measured.eyes == pytest.approx(0.86 * 40, abs=0.01)


def test_blurring_takes_sharpness(portrait):
    radii = (0, 0.5, 1, 2, 3, 4, 6, 8)
    measured = [quality(crop_of(portrait.filter(ImageFilter.GaussianBlur(r)))).sharpness for r in radii]
    assert_falls(measured)
    assert measured[3] > DEFAULT_GATE.min_sharpness > measured[-2]


def test_sharpness_does_not_depend_on_what_a_crop_was_enlarged_from(portrait):
    """A face of 360, 180, 90 and 45 pixels; blurred by the same share of its width it is as blurred."""
    for blur in (0, 0.03):
        measured = []
        for factor in (4, 2, 1, 0.5):
            size = tuple(round(factor * side) for side in portrait.size)
            scaled = portrait.resize(size, Image.Resampling.LANCZOS)
            scaled = scaled.filter(ImageFilter.GaussianBlur(blur * factor * 90)) if blur else scaled
            measured.append(quality(crop_of(scaled, tuple(round(factor * edge) for edge in BOX))).sharpness)
        assert max(measured) < 1.15 * min(measured)


def test_sharpness_is_not_contrast(portrait):
    """Half the light, and grey instead of black: the same detail."""
    whole = quality(crop_of(portrait))
    dull = quality((crop_of(portrait) * 0.5 + 60).astype(np.uint8))
    assert dull.sharpness == pytest.approx(whole.sharpness, rel=0.02)
    assert dull.contrast == pytest.approx(whole.contrast / 2, abs=2)
    assert quality(np.full((160, 160, 3), 90, np.uint8)).sharpness == 0


def test_darkening_takes_brightness_and_contrast(portrait):
    dark = [quality((crop_of(portrait) * share).astype(np.uint8)) for share in (1, 0.6, 0.4, 0.2, 0.1)]
    assert_falls([each.brightness for each in dark])
    assert_falls([each.contrast for each in dark])
    assert [bool(DEFAULT_GATE.refusals(each)) for each in dark] == [False, False, False, True, True]


def test_overexposure_burns_out(portrait):
    bright = [
        quality(np.clip(crop_of(portrait) * share, 0, 255).astype(np.uint8)).burnt
        for share in (1.0, 1.3, 1.6, 2.0, 3.0)
    ]
    assert_falls([-value for value in bright])
    assert bright[0] < DEFAULT_GATE.max_burnt < bright[-2]


def test_shrinking_takes_size_and_the_distance_of_the_eyes():
    small = [quality(points=landmarks() * share, box=(0, 0, 90 * share, 120 * share)) for share in (1, 0.5, 0.25)]
    assert_falls([each.size for each in small])
    assert_falls([each.eyes for each in small])
    assert DEFAULT_GATE.refusals(small[2]) == [
        "it is 22 pixels large, and should be 40 or more",
        "its eyes are 9 pixels apart, and should be 16 or more",
    ]


@pytest.mark.parametrize("turned", ["yaw", "pitch", "roll"])
@pytest.mark.parametrize("sign", [1, -1])
def test_turning_shows(turned, sign):
    degrees = [0, 10, 20, 30, 40, 50]
    measured = [quality(points=landmarks(**{turned: sign * angle})) for angle in degrees]
    for other in {"yaw", "pitch", "roll"} - {turned}:
        assert max(abs(getattr(each, other)) for each in measured) < 1, "one turn is not taken for another"
    values = [sign * getattr(each, turned) for each in measured]
    assert_falls([-value for value in values])
    assert values == pytest.approx(degrees, abs=1)


def test_leaning_hides_no_other_turn():
    for roll in (-30, 30):
        measured = quality(points=landmarks(yaw=25, roll=roll))
        assert (measured.yaw, measured.roll) == pytest.approx((25, roll), abs=2)


def test_a_face_that_lies_on_its_side_is_no_leaning_one():
    for angle in (0, 90, 180, 270):
        assert quality(points=landmarks(roll=angle + 5), angle=angle).roll == pytest.approx(5, abs=0.1)


def test_points_that_are_all_one_are_told_and_no_error():
    assert DEFAULT_GATE.refusals(quality(points=np.zeros((5, 2))))[0].startswith("its eyes are 0 pixels apart")


def test_without_a_crop_its_measures_are_not_judged():
    measured = quality()
    assert (measured.sharpness, measured.brightness, measured.burnt, measured.contrast) == (None,) * 4
    assert DEFAULT_GATE.refusals(measured) == []


def test_each_limit_refuses_alone_and_says_by_how_much(portrait):
    good = quality(crop_of(portrait), landmarks(yaw=5, pitch=5, roll=5))
    for limit in LIMITS:
        bound = getattr(DEFAULT_GATE, limit.name)
        for sign in (1, -1) if limit.measure in ("yaw", "pitch", "roll") else (1,):
            value = bound * (0.5 if limit.is_least else 1.5)
            (clause,) = DEFAULT_GATE.refusals(replace(good, **{limit.measure: sign * value}))
            assert f"{value:.{limit.digits}f}{limit.unit}, and should be {bound:g} or" in clause
            assert clause.endswith("more" if limit.is_least else "less")
        assert DEFAULT_GATE.refusals(replace(good, **{limit.measure: bound})) == [], "the limit itself is good enough"
    none = Gate(**{limit.name: 0 if limit.is_least else float("inf") for limit in LIMITS})
    assert none.refusals(quality(points=np.zeros((5, 2)))) == []
