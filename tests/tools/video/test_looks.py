"""Scenes and looks, on clips that were encoded and read again."""

import numpy as np
import pytest
from PIL import Image

from face_tools.video import Tracker, VideoReader
from face_tools.video.looks import Scenes, alike, look
from tests import clips
from tests.pictures import astronaut, reference


def shot(x=0, zoom=1.0, gain=1.0, other=False):
    """A window of the portrait: 320 x 240 pixels of it from (60 + x, 0), RGB."""
    portrait = Image.fromarray(clips.somebody_else() if other else astronaut())
    left = 60 + x
    window = portrait.crop((left, 0, left + round(320 / zoom), round(240 / zoom))).resize((320, 240))
    return np.clip(np.asarray(window, float) * gain, 0, 255).astype(np.uint8)


def landmarks(x=0, other=False):
    """Of the face in that window, [5, 2]."""
    points = reference("astronaut.png", 20)[1][0].copy()
    if other:
        points = points[[1, 0, 2, 4, 3]] * (-1, 1) + (511, 0)
    return points - (60 + x, 0)


WHITE = np.full((240, 320, 3), 250, np.uint8)
OTHER = np.clip(clips.background()[:240, :320].astype(float) - 60 + np.arange(320)[None, :, None] / 3, 0, 255).astype(
    np.uint8
)


@pytest.mark.parametrize(
    ("pictures", "new"),
    [
        ([shot()] * 3, []),
        ([shot(x) for x in range(0, 75, 15)], []),
        ([shot(zoom=zoom) for zoom in (1, 1.08, 1.16)], []),
        ([shot(), shot(gain=1.8), shot(gain=3), shot()], []),
        ([shot(gain=gain) for gain in (1, 0.7, 0.4, 0.2)], []),
        ([shot(), shot(), OTHER, OTHER], [2]),
        ([shot(), shot(other=True), shot()], [1, 2]),
        # Nothing is left of the picture: another scene, and back.
        ([shot(), WHITE, WHITE, shot()], [1, 3]),
        ([WHITE, WHITE - 20, WHITE - 60], []),
    ],
    ids=["still", "pan", "zoom", "flash", "darker", "cut", "cut and back", "white-out", "flat"],
)
def test_scenes(tmp_path, pictures, new):
    scenes = Scenes()
    found = [scenes.is_new(frame) for frame in VideoReader(clips.write(tmp_path / "clip.mp4", pictures))]
    assert found == [True] + [index in new for index in range(1, len(pictures))]
    assert scenes.count == len(new) + 1


def test_looks(tmp_path):
    pictures = [shot(), shot(40), shot(gain=0.4), shot(gain=1.4), shot(other=True), WHITE]
    known = [landmarks(), landmarks(40), landmarks(), landmarks(), landmarks(other=True), landmarks()]
    frames = VideoReader(clips.write(tmp_path / "clip.mp4", pictures))
    first, *others = [look(frame, points) for frame, points in zip(frames, known, strict=True)]
    assert first.shape == (8, 8)
    moved, darker, brighter, somebody_else, nothing = [alike(first, other) for other in others]
    assert min(moved, darker, brighter) > 0.85
    assert somebody_else < 0.35
    assert nothing == 1


def test_a_look_at_the_border_and_of_a_tiny_face(tmp_path):
    (frame,) = VideoReader(clips.write(tmp_path / "clip.mp4", [shot()]))
    for points in (landmarks() - (150, 60), landmarks() / 40, np.zeros((5, 2))):
        assert np.isfinite(look(frame, points.astype(np.float32))).all()


BOX = np.array([[100.0, 50, 160, 120]])


@pytest.mark.parametrize(
    ("likeness", "scene", "number"), [(0.9, 1, 1), (0.9, 2, 1), (0.5, 1, 1), (0.5, 2, 2), (0.2, 1, 2), (0.2, 2, 2)]
)
def test_who_looks_like_somebody_else_gets_a_number_of_his_own(likeness, scene, number):
    random = np.random.default_rng(0)
    one, rest = np.linalg.qr(random.normal(size=(64, 3)) * (0, 1, 1) + (1, 0, 0))[0].T[1:]
    looks = [100 + 200 * vector.reshape(8, 8) for vector in (one, likeness * one + np.sqrt(1 - likeness**2) * rest)]
    assert alike(*looks) == pytest.approx(likeness, abs=1e-6)
    tracker = Tracker()
    assert tracker.update(0, BOX, [looks[0]], 1) == [1]
    assert tracker.update(1, BOX, [looks[1]], scene) == [number]
    # The first one comes back to his place.
    assert tracker.update(2, BOX, [looks[0]], 1) == [1]
