"""Faces drawn into the planes of a frame: against the same drawn in RGB."""

import av
import numpy as np
import pytest
from PIL import Image

from face_client import Faces
from face_tools.drawing import draw_on
from face_tools.video import Frame, FrameFaces, annotating, draw_tracks
from tests import clips

BOXES = [[100.3, 60.7, 180.2, 160.1], [-20, 250, 60, 400], [600, -30, 700, 40], [300, 200, 290, 190]]


def frame_of(picture, pixels="yuv420p"):
    return Frame(0, 0.0, av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels))


def answer(boxes, tracks, picture=None):
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    picture = clips.background() if picture is None else picture
    height, width = picture.shape[:2]
    landmarks = np.repeat((boxes[:, None, :2] + boxes[:, None, 2:]) / 2, 5, axis=1) + np.arange(5)[:, None] * 4
    faces = Faces(boxes, np.full(len(boxes), 0.97, np.float32), landmarks.astype(np.float32), width, height)
    return FrameFaces(frame_of(picture), faces, tracks, detected=True)


def drawn_in_rgb(one):
    picture = Image.fromarray(one.frame.rgb())
    colours = [0 if track is None else 1 + (track - 1) % 8 for track in one.tracks]
    labels = [f"{'?' if track is None else f'#{track}'} 0.97" for track in one.tracks]
    palette = [annotating.Colours(annotating._BOXES[colour], annotating.LANDMARK, annotating.INK) for colour in colours]
    draw_on(picture, one.faces, labels, palette)
    return np.array(picture)


def test_what_is_drawn_is_what_drawing_draws():
    """Up to the colours of single pixels, which have a quarter of the resolution, and smooth text."""
    one = answer(BOXES, (1, 12, None, 7))
    plain, expected = one.frame.rgb().astype(int), drawn_in_rgb(one).astype(int)
    drawn = draw_tracks(one).rgb().astype(int)
    changed = np.abs(expected - plain).max(axis=2) > 40
    assert changed.sum() > 3000
    difference = np.abs(drawn - expected).max(axis=2)
    assert np.median(difference[changed]) < 12
    assert np.percentile(difference[changed], 85) < 60
    # Away from what is drawn, nothing changes: colours bleed into a neighbour at most.
    near = changed.copy()
    for axis in (0, 1):
        for shift in (-1, 1, -2, 2):
            near = near | np.roll(near, shift, axis)
    assert difference[~near].max() <= 8


def test_each_track_has_its_colour():
    middle = {}
    for track in (1, 2, 9, None):
        drawn = draw_tracks(answer([[100, 100, 200, 200]], (track,))).rgb()
        middle[track] = drawn[150, 100].astype(int)
        assert np.abs(middle[track] - annotating._BOXES[0 if track is None else 1 + (track - 1) % 8]).max() < 25
    assert np.abs(middle[1] - middle[2]).max() > 60
    assert np.abs(middle[1] - middle[9]).max() == 0


def test_nobody_and_faces_outside():
    for one in (answer([], ()), answer([[2000, 2000, 2040, 2040]], (1,), np.full((64, 96, 3), 90, np.uint8))):
        before = one.frame.rgb()
        after = draw_tracks(one).rgb()
        # The label is kept inside the picture, whatever the box.
        assert (before == after).all() or len(one.faces)


def test_rows_that_are_longer_in_memory():
    """Decoders align rows; the samples beyond the picture are nobody's."""
    picture = clips.background()[:90, :150].copy()
    one = answer([[20, 20, 149, 89]], (3,), picture)
    assert any(plane.line_size > plane.width for plane in one.frame.picture.planes)
    drawn = draw_tracks(one).rgb()
    assert np.abs(drawn[50, 149].astype(int) - annotating._BOXES[3]).max() < 60


def test_a_frame_that_the_decoder_still_needs_is_copied(tmp_path):
    """Drawing into a reference picture would show in all that follow."""
    path = clips.write(tmp_path / "still.mp4", [clips.background()] * 12)
    with av.open(str(path)) as container:
        for index, picture in enumerate(container.decode(video=0)):
            frame = Frame(index, index / 25, picture)
            assert np.abs(frame.rgb().astype(int) - clips.background()).max() < 30
            faces = answer([[100, 60, 300, 250]], (1,)).faces
            draw_tracks(FrameFaces(frame, faces, (1,), detected=True))
            assert np.abs(frame.rgb().astype(int) - clips.background()).max() > 80


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (0, 220, 90), (255, 60, 60)])
def test_colours_are_those_of_ffmpeg(rgb):
    picture = np.full((16, 16, 3), rgb, np.uint8)
    expected = [np.frombuffer(memoryview(plane), np.uint8)[0] for plane in frame_of(picture).picture.planes]
    ours = annotating._TO_YCBCR @ rgb + (16, 128, 128)
    np.testing.assert_allclose(ours, np.array(expected, float), atol=1.6)
