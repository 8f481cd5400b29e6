"""Videos of many kinds → frames."""

import itertools
import os
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from face_client import InvalidInput, VideoError
from face_tools.video import VideoReader, open_camera
from tests import cameras, clips


def corners(size=(96, 64)):
    """RGB, with another colour in each quarter."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (220, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 220, 30)
    picture[height // 2 :, : width // 2] = (30, 30, 220)
    picture[height // 2 :, width // 2 :] = (230, 230, 230)
    return picture


def quarters(picture):
    """The colours in the middle of the quarters [2, 2, 3]."""
    height, width = picture.shape[:2]
    return picture[height // 4 :: height // 2, width // 4 :: width // 2][:2, :2].astype(int)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv444p"),
        ("a.mp4", "libx265", "yuv420p10le"),
        ("a.avi", "mjpeg", "yuvj422p"),
        ("a.avi", "rawvideo", "bgr24"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("b:a.mp4", "mpeg4", "yuv420p"),
    ],
)
def test_formats(tmp_path, name, codec, pixels):
    path = clips.write(tmp_path / name, [corners()] * 5, codec, pixels)
    with VideoReader(path) as video:
        frames = list(video)
        assert video.count == 5
        assert video.rate == clips.RATE
    assert [frame.index for frame in frames] == list(range(5))
    assert [frame.time for frame in frames] == pytest.approx([i / clips.RATE for i in range(5)], abs=1e-3)
    for frame in frames:
        assert frame.picture.format.name == "yuv420p"
        np.testing.assert_allclose(quarters(frame.rgb()), quarters(corners()), atol=12)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [("a.mov", "png", "rgba"), ("a.mov", "qtrle", "argb"), ("a.mov", "prores_ks", "yuva444p10le")],
)
def test_what_is_transparent_is_white(tmp_path, name, codec, pixels):
    opacity = np.full((64, 96, 1), 255, np.uint8)
    opacity[:32, :48], opacity[32:, :48] = 0, 128
    path = clips.write(tmp_path / name, [np.concatenate([corners(), opacity], axis=2)] * 2, codec, pixels)
    expected = quarters(corners())
    expected[0, 0] = 255
    expected[1, 0] = (expected[1, 0] + 255) / 2
    with VideoReader(path) as video:
        frames = list(video)
        assert not video.hides_transparency
    assert len(frames) == 2
    for frame in frames:
        np.testing.assert_allclose(quarters(frame.rgb()), expected, atol=12)


@pytest.mark.parametrize(
    ("aspect", "rotation", "size"),
    [
        (Fraction(16, 15), 0, (102, 64)),
        (Fraction(4, 3), 0, (128, 64)),
        (Fraction(1, 2), 0, (96, 128)),
        (Fraction(4, 3), 90, (64, 128)),
        (Fraction(1, 2), -90, (128, 96)),
        (Fraction(1, 1), 0, (96, 64)),
        (Fraction(100, 1), 0, (96, 64)),
    ],
)
def test_pixels_become_square(tmp_path, aspect, rotation, size):
    path = clips.write(tmp_path / "a.mp4", [corners()] * 2, aspect=aspect, rotation=rotation)
    with VideoReader(path) as video:
        for frame in video:
            assert (frame.picture.width, frame.picture.height) == size
            turned = np.rot90(corners(), rotation // 90)
            np.testing.assert_allclose(quarters(frame.rgb()), quarters(turned), atol=12)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_phones_rotation_is_applied(tmp_path, rotation):
    """The file stores the picture as the sensor saw it, and says how to turn it counter-clockwise."""
    stored = np.rot90(corners(), -rotation // 90)
    path = clips.write(tmp_path / "phone.mp4", [stored] * 3, rotation=rotation)
    with VideoReader(path) as video:
        for frame in video:
            assert (frame.picture.width, frame.picture.height) == (96, 64)
            np.testing.assert_allclose(quarters(frame.rgb()), quarters(corners()), atol=12)


def test_odd_sides_lose_their_last_row_and_column(tmp_path):
    path = clips.write(tmp_path / "odd.mkv", [corners((97, 65))], "ffv1", "bgr0")
    (frame,) = VideoReader(path)
    np.testing.assert_allclose(quarters(frame.rgb()), quarters(corners()), atol=12)
    assert frame.rgb().shape == (64, 96, 3)


def test_a_size_that_changes_is_brought_to_the_first(tmp_path):
    """Two recordings one after the other in one stream, as broadcasts have it."""
    path = tmp_path / "both.ts"
    for name, size in (("a.ts", (96, 64)), ("b.ts", (192, 128))):
        part = clips.write(tmp_path / name, [corners(size)] * 25, "mpeg2video")
        with path.open("ab") as file:
            file.write(part.read_bytes())
    with VideoReader(path) as video:
        frames = list(video)
    # The decoder gives up the one that it held back when the size changed.
    assert len(frames) >= 49
    for frame in frames:
        assert frame.rgb().shape == (64, 96, 3)
        np.testing.assert_allclose(quarters(frame.rgb()), quarters(corners()), atol=16)
    # The second recording's clock begins anew.
    assert all(frame.time < after.time for frame, after in itertools.pairwise(frames))


def test_the_first_frame_is_at_zero(tmp_path):
    """MPEG-TS starts its clock somewhere else."""
    with VideoReader(clips.write(tmp_path / "a.ts", [corners()] * 25, "mpeg2video")) as video:
        assert [frame.time for frame in video] == pytest.approx(np.arange(25) / clips.RATE)
        assert video.start > 0


def test_damaged_packets_are_left_out(tmp_path):
    path = clips.write(tmp_path / "a.avi", [corners()] * 9, "png", "rgb24")
    data = bytearray(path.read_bytes())
    starts = [i for i in range(len(data)) if data.startswith(b"\x89PNG", i)]
    data[starts[4] : starts[4] + 30] = bytes(30)
    path.write_bytes(data)
    with VideoReader(path) as video:
        # Decoding on several cores may lose its neighbour too.
        assert len(list(video)) in (7, 8)
        assert video.damaged == 1


def test_a_file_that_ends_early(tmp_path):
    path = clips.write(tmp_path / "a.mkv", clips.background()[None].repeat(20, 0), options={"g": "1"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with VideoReader(path) as video:
        assert 5 < len(list(video)) < 15


def test_what_is_no_video(tmp_path):
    words, cut = tmp_path / "words.mp4", tmp_path / "cut.mp4"
    words.write_text("no video")
    cut.write_bytes(clips.write(tmp_path / "whole.mp4", [corners()]).read_bytes()[:500])
    for path in (words, cut, tmp_path, tmp_path / "missing.mp4"):
        with pytest.raises(VideoError, match=f"{path} cannot be read as a video: ") as caught:
            VideoReader(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(VideoError, match="No such file"):
        VideoReader(tmp_path / "missing.mp4")


def test_sound_with_a_cover_is_no_video(tmp_path):
    """The cover of an album is a stream of one picture."""
    path = clips.write(tmp_path / "song.mp3", [corners()], "png", "rgb24", sound="libmp3lame")
    with pytest.raises(VideoError, match=r"song.mp3 has no video in it"):
        VideoReader(path)


def test_a_camera_that_is_not_there():
    with pytest.raises(VideoError, match=r"/dev/video63 cannot be read as a video: No such file or directory"):
        open_camera(63)


def test_a_device_of_ffmpegs():
    """As cameras are opened; this one draws a test card."""
    with VideoReader("testsrc=size=64x48:rate=10", container="lavfi") as video:
        assert video.count is None
        assert video.path is None
        frames = [frame for _, frame in zip(range(25), video, strict=False)]
    assert frames[-1].time == pytest.approx(2.4)
    assert frames[0].rgb().std() > 50


@pytest.mark.parametrize(
    ("behaviour", "frames", "sentence"),
    [
        (cameras.silent_after(8), 8, "sent no frame for 0.5 s"),
        (cameras.silent_after(0), 0, "sent no frame for 0.5 s"),
        (cameras.never_answers, 0, "sent no frame for 0.5 s"),
        (cameras.garbage_after(0), 0, "cannot be read as a video: Invalid data"),
        (cameras.garbage_after(8), 8, "cannot be read on: Invalid data"),
    ],
)
def test_a_camera_out_of_order(behaviour, frames, sentence):
    read = []
    with cameras.camera(behaviour) as address, pytest.raises(VideoError, match=sentence):
        read.extend(VideoReader(address, read_timeout=0.5))
    assert len(read) == frames


def test_a_pipe(tmp_path):
    """Nobody writes; then somebody does. Its sound is in it, and cannot be read again."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(VideoError, match=r"pipe sent no frame for 0\.2 s"):
        VideoReader(tmp_path / "pipe", read_timeout=0.2)
    data = clips.write(tmp_path / "clip.ts", [corners()] * 5, "mpeg2video", sound="aac").read_bytes()
    (tmp_path / "pipe").unlink()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    with VideoReader(tmp_path / "pipe") as video:
        assert len(list(video)) == 5
        assert (video.path, video.has_sound) == (None, True)
    writer.join()


def test_time_in_which_nobody_asks_does_not_count(tmp_path):
    with VideoReader(clips.write(tmp_path / "clip.mp4", [corners()] * 8), read_timeout=0.3) as video:
        frames = iter(video)
        next(frames)
        time.sleep(0.6)
        assert len(list(frames)) == 7


@pytest.mark.parametrize("wrong", [0, -1, float("nan")])
def test_a_read_timeout_that_is_none(tmp_path, wrong):
    with pytest.raises(InvalidInput, match="read_timeout is"):
        VideoReader(tmp_path / "clip.mp4", read_timeout=wrong)
