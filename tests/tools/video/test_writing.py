"""Frames → a file, with the sound of another."""

import itertools
import subprocess
import sys
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import av
import av.error
import numpy as np
import pytest

from face_client import InvalidInput, VideoError
from face_tools.video import VideoReader, VideoWriter
from face_tools.video.writing import SoundCopy, vorbis_without_comments
from tests import clips


@pytest.fixture
def pictures():
    return [np.roll(clips.background(), 8 * index, axis=1) for index in range(10)]


@pytest.fixture
def clip(tmp_path, pictures):
    return clips.write(tmp_path / "clip.mp4", pictures)


def copy(source, target, **options):
    """Whether there is sound, or why not."""
    with VideoReader(source) as video, VideoWriter(target, video, **options) as writer:
        for frame in video:
            writer.write(frame)
    return writer.sound_dropped


def test_sound_that_is_damaged_is_not_cut_in_silence(tmp_path, pictures, monkeypatch):
    source = clips.write(tmp_path / "loud.mp4", pictures, sound="aac")
    whole = SoundCopy._shifted
    damaged = False

    def demux(_container, stream):
        for number, packet in enumerate(stream.container.demux(stream)):
            if damaged and number == 4:
                raise av.error.InvalidDataError(1, "Invalid data")
            yield packet

    def shifted(self, stream):
        self._container = SimpleNamespace(demux=partial(demux, self._container), close=self._container.close)
        return whole(self, stream)

    monkeypatch.setattr(SoundCopy, "_shifted", shifted)
    for damaged in (False, True):
        with VideoReader(source) as video, VideoWriter(tmp_path / "copy.mp4", video) as writer:
            for frame in video:
                writer.write(frame)
        assert writer.sound_is_cut == damaged
        with av.open(str(tmp_path / "copy.mp4")) as written:
            assert (sum(packet.size > 0 for packet in written.demux(audio=0)) == 4) == damaged


@pytest.mark.parametrize("name", ["a.mp4", "a.MKV", "a.mov", "below/a:b.m4v"])
def test_pictures_and_times_are_the_same(tmp_path, clip, pictures, name):
    copy(clip, tmp_path / name)
    with VideoReader(tmp_path / name) as video:
        frames = list(video)
        assert video.rate == clips.RATE
    assert [frame.time for frame in frames] == pytest.approx(np.arange(10) / clips.RATE, abs=1e-3)
    for frame, picture in zip(frames, pictures, strict=True):
        assert np.abs(frame.rgb().astype(int) - picture).mean() < 3


def test_smaller_files(tmp_path, clip):
    copy(clip, tmp_path / "quick.mp4")
    copy(clip, tmp_path / "small.mp4", preset="medium", crf=35)
    assert (tmp_path / "small.mp4").stat().st_size < (tmp_path / "quick.mp4").stat().st_size


def test_colours_and_the_shape_of_the_picture_are_passed_on(tmp_path, pictures):
    source = tmp_path / "dvd.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        context = stream.codec_context
        context.colorspace, context.color_range, context.sample_aspect_ratio = 1, 2, Fraction(16, 15)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pictures[0], format="rgb24")))
        container.mux(stream.encode(None))
    copy(source, tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 2)
        assert context.sample_aspect_ratio in (None, 1)
        assert (context.width, context.height) == (682, 360)


def sound_of(path):
    """Bytes of the packets, and seconds of the first and the last."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
        return [bytes(packet) for packet in packets], [float(packet.pts * packet.time_base) for packet in packets]


def test_sound_is_copied_as_it_is(tmp_path, pictures):
    clip = clips.write(tmp_path / "clip.mp4", pictures * 5, sound="aac")
    assert copy(clip, tmp_path / "copy.mp4") is None
    (packets, times), (original, original_times) = sound_of(tmp_path / "copy.mp4"), sound_of(clip)
    assert len(packets) >= len(original) - 3
    assert packets == original[: len(packets)]
    assert times == pytest.approx(original_times[: len(times)], abs=0.03)


def test_sound_that_starts_elsewhere_stays_beside_its_pictures(tmp_path, pictures):
    """MPEG-TS has a clock that starts somewhere."""
    clip = clips.write(tmp_path / "clip.ts", pictures * 5, "mpeg2video", sound="aac")
    copy(clip, tmp_path / "copy.mkv")
    with VideoReader(clip) as video:
        next(iter(video))
        start = video.start
    (_, times), (_, original) = sound_of(tmp_path / "copy.mkv"), sound_of(clip)
    assert times[0] == pytest.approx(original[0] - start, abs=0.03)


def test_sound_that_has_no_place_is_named(tmp_path, pictures):
    clip = clips.write(tmp_path / "clip.mkv", pictures, sound="pcm_u8")
    assert copy(clip, tmp_path / "copy.mp4") == "mp4 has no place for pcm_u8"
    assert len(clips.read(tmp_path / "copy.mp4")) == 10


def test_a_file_is_complete_wherever_writing_ends(tmp_path, clip):

    def interrupted():
        with VideoReader(clip) as video, VideoWriter(tmp_path / "a.mp4", video) as writer:
            for frame in itertools.islice(video, 4):
                writer.write(frame)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(clips.read(tmp_path / "a.mp4")) == 4


def test_nothing_written_is_no_file(tmp_path, clip):
    with VideoReader(clip) as video, VideoWriter(tmp_path / "a.mp4", video):
        pass
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize("name", ["full.mp4", "full.mkv"])
def test_a_full_disk(tmp_path, clip, name):
    """MP4 fails with its first bytes, Matroska when its buffer is full or at the end."""
    (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(VideoError, match=f"{name} cannot be written: No space left on device"):
        copy(clip, tmp_path / name)


def test_a_file_that_outgrows_its_limit(tmp_path):
    """In a process of its own, which may write 100 kB."""
    random = np.random.RandomState(0)
    clip = clips.write(tmp_path / "clip.mp4", random.randint(0, 255, (20, 128, 128, 3)).astype(np.uint8))
    code = f"""
import resource
from face_tools.video import VideoError, VideoReader, VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with VideoReader({str(clip)!r}) as video:
    try:
        with VideoWriter({str(tmp_path / "a.mp4")!r}, video) as writer:
            for frame in video:
                writer.write(frame)
    except VideoError as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.endswith("a.mp4 cannot be written: File too large\n"), run


def test_writing_after_the_end(tmp_path, clip):
    with VideoReader(clip) as video, VideoWriter(tmp_path / "a.mp4", video) as writer:
        frame = next(iter(video))
        writer.write(frame)
    with pytest.raises(ValueError, match="closed"):
        writer.write(frame)
    writer.close()


def test_targets_that_are_none(tmp_path, clip):
    (tmp_path / "link.mp4").symlink_to(clip)
    (tmp_path / "folder.mp4").mkdir()
    with VideoReader(clip) as video:
        with pytest.raises(VideoError, match=r"a.avi cannot be written: its name must end in .mp4"):
            VideoWriter(tmp_path / "a.avi", video)
        for same in (clip, tmp_path / "link.mp4"):
            with pytest.raises(VideoError, match="is the video that is read"):
                VideoWriter(same, video)
        frame = next(iter(video))
        with pytest.raises(VideoError, match=r"folder.mp4 cannot be written: Is a directory"):
            VideoWriter(tmp_path / "folder.mp4", video).write(frame)


@pytest.mark.parametrize("wrong", [{"crf": 99}, {"crf": -1}, {"preset": "slowest"}])
def test_what_x264_does_not_have(tmp_path, clip, wrong):
    (name,) = wrong
    with VideoReader(clip) as video, pytest.raises(InvalidInput, match=f"^{name} is "):
        VideoWriter(tmp_path / "copy.mp4", video, **wrong)


def vorbis(comment):
    """Three headers of a Vorbis stream as FFmpeg has them; the first is of 30 bytes, always."""
    first, last = b"\1vorbis" + bytes(23), b"\5vorbis" + bytes(600)
    second = b"\3vorbis" + comment + b"\1"
    lacing = b"\xff" * (len(second) // 255) + bytes([len(second) % 255])
    return b"\2" + bytes([len(first)]) + lacing + first + second + last


@pytest.mark.parametrize("length", [8, 100, 245, 246, 247, 3000])
def test_comments_of_vorbis_are_emptied(length):
    headers = vorbis(b"c" * length)
    assert vorbis_without_comments(headers) == vorbis(bytes(8))
    for cut in (0, 1, 5, 40):
        with pytest.raises(ValueError, match="Vorbis"):
            vorbis_without_comments(headers[:cut])


def test_a_copy_with_vorbis_has_no_comments(tmp_path, pictures):
    silent, tone, told = clips.write(tmp_path / "clip.mp4", pictures), tmp_path / "tone.mkv", tmp_path / "told.mkv"
    with av.open(str(tone), "w") as target:
        stream = target.add_stream("vorbis", rate=48_000, layout="stereo", options={"strict": "experimental"})
        for packet in clips.tone_packets(stream, 0.4):
            target.mux(packet)
    with av.open(str(silent)) as video, av.open(str(tone)) as audio, av.open(str(told), "w") as target:
        streams = [(source, target.add_stream_from_template(source.streams[0])) for source in (video, audio)]
        headers = streams[1][1].codec_context.extradata
        first, last = headers[3 : 3 + headers[1]], headers[3 + headers[1] + headers[2] :]
        comments = b"\3vorbis" + bytes(4) + b"\1\0\0\0\x0a\0\0\0TITLE=Anna\1"
        streams[1][1].codec_context.extradata = bytes([2, len(first), len(comments)]) + first + comments + last
        for source, stream in streams:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
    assert b"TITLE=Anna" in told.read_bytes()
    assert copy(told, tmp_path / "copy.mkv") is None
    assert b"Anna" not in (tmp_path / "copy.mkv").read_bytes()
    with av.open(str(tmp_path / "copy.mkv")) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) > 10_000
