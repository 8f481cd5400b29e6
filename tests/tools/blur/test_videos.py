"""`faces blur` on videos: whole or not at all, every frame covered, and nothing but pictures and sound in the file."""

import json
import os
import signal
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

import face_tools.video.writing
from face_client import InvalidInput, ServerError, VideoError
from face_command import console
from face_command.main import main
from face_pictures.marks import COVERED
from face_tools.video.writing import is_copy
from tests import clips

pytestmark = pytest.mark.usefixtures("plain", "transport")

FRAMES = 20
SECRET = "51.4779N Anna"
# The made-up face is at 0, 10, 20, 40.
WITHIN = (slice(14, 36), slice(2, 18))


def run(*arguments):
    return main(["blur", *map(str, arguments)])


@pytest.fixture
def clip(tmp_path):
    """Twenty frames of coloured noise in large grains, so that what is covered can be told."""
    return clips.write(tmp_path / "clip.mp4", [grains(index) for index in range(FRAMES)], options={"crf": "10"})


def grains(seed):
    random = np.random.RandomState(seed).randint(60, 200, (45, 80, 3)).astype(np.uint8)
    return np.array(Image.fromarray(random).resize((640, 360), Image.Resampling.NEAREST))


def black(path):
    """For each frame whether the made-up face is black."""
    return [bool(picture[WITHIN].mean() < 10) for picture in clips.read(path)]


def is_trial(request):
    """Whether it is the blank picture that the parameters are tried on."""
    return request.inputs["image"].shape[1] == 32


def found_in(transport, make_answer, frames):
    """Only these requests are answered with a face."""
    seen = -1

    def reply(request):
        nonlocal seen
        seen += not is_trial(request)
        return make_answer(int(seen in frames))

    transport.reply = reply


def test_every_frame_is_covered(clip, tmp_path, capsys):
    out = tmp_path / "new" / "out.mp4"
    assert run(clip, out, "--method", "mask") == run(clip, out, "--method", "mask") == 0
    assert black(out) == [True] * FRAMES
    assert abs(clips.read(out)[7][200:].astype(int) - grains(7)[200:]).mean() < 12
    assert capsys.readouterr().out.splitlines()[:2] == ["file\twritten to\tcovered", f"{clip}\t{out}\t1 tracks"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.mp4"]


def test_frames_in_which_it_is_not_found_are_covered_too(clip, tmp_path, transport, make_answer):
    """Between, before and after, by 0.2 s: five frames."""
    out = tmp_path / "out.mp4"
    found_in(transport, make_answer, (7, 10))
    assert run(clip, out, "--method", "mask", "--hold", 0.2, "--in-flight", 1) == 0
    assert [index for index, covered in enumerate(black(out)) if covered] == list(range(2, 16))


def test_lines_of_json(clip, tmp_path, transport, make_answer, capsys):
    found_in(transport, make_answer, (1, 2))
    out = tmp_path / "out.mkv"
    assert run(clip, out, "--json", "--hold", 0.04, "--stride", 4, "--in-flight", 1) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert lines[5] == {
        "video": str(clip),
        "written": str(out),
        "frame": 5,
        "time": 0.2,
        "width": 640,
        "height": 360,
        "method": "blur",
        "shape": "ellipse",
        "grow": 0.3,
        "faces": [{"track": 1, "box": [0, 10, 20, 40], "detected": False, "covered": True}],
    }
    # Looked at are 0, 4, 8, …; found at 4 and 8, and not at 0 and 12.
    assert [bool(line["faces"]) for line in lines] == [1 <= index <= 11 for index in range(FRAMES)]
    assert len(transport.requests) == 1 + 5


def at_frame(number, reply, error):
    """A reply that fails once, at the request of that number."""
    seen = -1

    def answer(request):
        nonlocal seen
        seen += not is_trial(request)
        if seen == number:
            raise error
        return reply(request)

    return answer


def test_a_frame_without_an_answer_costs_the_video(clip, tmp_path, transport, capsys):
    """And no other: an earlier one stays, and the next is written."""
    out, folder = tmp_path / "out", tmp_path / "in"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(clip.read_bytes())
    assert run(folder, out) == 0
    before = (out / "a.mp4").read_bytes()
    capsys.readouterr()
    transport.reply = at_frame(9, transport.reply, ServerError("out of order"))
    assert run(folder, out, "--method", "mask", "--in-flight", 1) == 1
    assert (out / "a.mp4").read_bytes() == before
    assert black(out / "b.mp4") == [True] * FRAMES
    assert sorted(path.name for path in out.iterdir()) == ["a.mp4", "b.mp4"]
    output = capsys.readouterr()
    assert output.err.startswith(f"{folder / 'a.mp4'}: out of order")
    assert output.err.endswith("; nothing was written of it\n")
    assert len(output.out.splitlines()) == 2


def test_a_video_that_is_damaged(tmp_path, capsys):
    """A copy is written; that it lacks frames is said, and by the exit status too."""
    source, out = tmp_path / "a.mov", tmp_path / "out.mp4"
    data = clips.write(source, [grains(1)] * 5, "png", "rgb24").read_bytes()
    third = data.split(b"\x89PNG", 3)
    source.write_bytes(b"\x89PNG".join(third[:3]) + bytes(4) + third[3])
    assert run(source, out, "--method", "mask") == 1
    assert black(out) == [True] * 4
    assert f"{source}: 1 damaged packets were left out" in capsys.readouterr().err


def test_parameters_that_the_server_refuses(clip, tmp_path, transport, capsys):
    def refuse(_request):
        raise InvalidInput("factor is 2.0; it must be between 0.1 and 0.9")

    transport.reply = refuse
    assert run(clip, tmp_path / "out.mp4", "--factor", 2) == 2
    assert capsys.readouterr().err == "faces blur: factor is 2.0; it must be between 0.1 and 0.9\n"


def test_an_interrupt_leaves_nothing(clip, tmp_path, transport, capsys):
    reply = transport.reply

    def interrupted(request):
        if len(transport.requests) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return reply(request)

    transport.reply = interrupted
    out = tmp_path / "out" / "out.mp4"
    assert run(clip, out) == 143
    assert list(out.parent.iterdir()) == []
    assert "interrupted; nothing was written of it" in capsys.readouterr().err


def test_a_disk_that_is_full(clip, tmp_path, monkeypatch, capsys):
    def fail(writer, _frame):
        raise VideoError(f"{writer.path} cannot be written: No space left on device")

    monkeypatch.setattr(face_tools.video.writing.VideoWriter, "write", fail)
    out = tmp_path / "out" / "out.mp4"
    assert run(clip, out) == 1
    assert list(out.parent.iterdir()) == []
    assert f"{out} cannot be written: No space left on device; nothing was written of it" in capsys.readouterr().err


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), console.StdoutError(28, "full", "stdout")])
def test_who_reads_the_lines_and_goes(clip, tmp_path, error, monkeypatch, capsys):
    """That is no fault of the video's, and none is looked at for nobody."""

    def fail(_text):
        raise error

    monkeypatch.setattr(console, "line", fail)
    monkeypatch.setattr(console, "drop_stdout", lambda: None)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(clip.read_bytes())
    assert run(folder, tmp_path / "out", "--json") != 0
    assert "nothing was written of it" not in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_and_videos_of_a_folder(clip, photos, tmp_path, capsys):
    (photos / "below" / "clip.MOV").write_bytes(clip.read_bytes())
    clips.write(photos / "clip.avi", [grains(1)] * 3, codec="mjpeg", pixels="yuvj420p")
    out = tmp_path / "out"
    assert run(photos, out) == run(photos, out) == 0
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert written == ["a.jpg", "below/b.PNG", "below/clip.MOV", "clip.avi.mp4"]
    table = capsys.readouterr().out.splitlines()[:5]
    assert [line.rpartition("\t")[2] for line in table] == ["covered", "1", "1", "1 tracks", "1 tracks"]


def test_only_files_of_ones_own_are_replaced(clip, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "clip.mp4").write_bytes(clip.read_bytes())
    assert run(clip, out) == 2
    assert "which this command did not write" in capsys.readouterr().err
    assert run(clip, tmp_path, "--force") == 2
    assert "which is read" in capsys.readouterr().err
    assert run(clip, out, "--force") == run(clip, out) == 0
    assert is_copy(out / "clip.mp4", COVERED)
    assert not is_copy(out / "clip.mp4")
    assert run(clip, out, "--no-mark") == 0
    assert not is_copy(out / "clip.mp4", COVERED)
    assert run(clip, out) == 2


def test_a_server_that_is_not_there(clip, tmp_path, transport, capsys):
    transport.ready = False
    assert run(clip, tmp_path / "out.mp4") == 3
    assert "faces serve" in capsys.readouterr().err


# What else is in a container


@pytest.fixture
def talkative(tmp_path):
    """A Matroska file with tags, sound, subtitles, a chapter and an attachment, each of which has the secret."""
    silent = clips.write(tmp_path / "s.mp4", [grains(index) for index in range(FRAMES)], sound="aac")
    words = tmp_path / "words.srt"
    words.write_text(f"1\n00:00:00,000 --> 00:00:00,500\n{SECRET}\n\n")
    path = tmp_path / "talkative.mkv"
    with av.open(str(silent)) as source, av.open(str(words)) as subtitles, av.open(str(path), "w") as target:
        target.metadata.update(title=SECRET, location=SECRET, artist=SECRET, comment=SECRET)
        target.set_chapters(
            [{"id": 1, "start": 0, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": SECRET}}]
        )
        target.add_attachment("face.jpg", "image/jpeg", SECRET.encode())
        streams = [
            (stream, target.add_stream_from_template(stream)) for stream in (*source.streams, *subtitles.streams)
        ]
        for given, stream in streams:
            stream.metadata.update(title=SECRET, handler_name=SECRET, language="eng")
            for packet in given.container.demux(given):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
            if given.container is source:
                source.seek(0)
    return path


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_nothing_but_pictures_and_sound_is_written(talkative, tmp_path, suffix):
    assert talkative.read_bytes().count(SECRET.encode()) >= 9
    out = tmp_path / "out" / f"out.{suffix}"
    assert run(talkative, out) == 0
    assert SECRET.encode() not in out.read_bytes()
    with av.open(str(out)) as written:
        assert [stream.type for stream in written.streams] == ["video", "audio"]
        assert not written.chapters()
        assert not {name.lower() for name in written.metadata} - MUXERS
        for stream in written.streams:
            assert not {name.lower() for name in stream.metadata} - MUXERS
        assert written.metadata.get("comment", written.metadata.get("COMMENT")) == f"triton-faces {COVERED}"
    assert run(talkative, out, "--no-sound", "--no-mark", "--force") == 0
    with av.open(str(out)) as written:
        assert [stream.type for stream in written.streams] == ["video"]
    assert b"triton-faces" not in out.read_bytes()


MUXERS = {
    # FFmpeg's own: kinds of the container and its name, the length of a stream; and the mark.
    *("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "comment"),
    *("handler_name", "vendor_id", "language"),
}


def test_what_lies_under_transparency_is_not_written(tmp_path, capsys):
    """White where it can be read; and no copy where it cannot."""
    source, out = tmp_path / "a.mov", tmp_path / "out.mp4"
    opacity = np.full((360, 640, 1), 255, np.uint8)
    opacity[:, 320:] = 0
    seen_through = [np.concatenate([grains(1), opacity], axis=2)] * 3
    clips.write(source, seen_through, "png", "rgba")
    assert run(source, out) == 0
    for picture in clips.read(out):
        assert (picture[:, 330:] > 250).all()
        assert picture[50:, :310].mean() < 200
    hidden = clips.write(tmp_path / "a.webm", seen_through, "libvpx-vp9", "yuva420p", about={"alpha_mode": "1"})
    assert run(hidden, tmp_path / "other.mp4") == 1
    assert "transparency that cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "other.mp4").exists()


def captions(text):
    """An H.264 NAL unit of captions as television has them (CEA-708 in user data, ITU-T T.35)."""
    pairs = b"".join(b"\xfc" + text[at : at + 2] for at in range(0, len(text), 2))
    payload = b"\xb5\0\x31GA94\x03" + bytes([0x40 | len(pairs) // 3, 0xFF]) + pairs + b"\xff"
    return b"\0\0\0\1\x06\x04" + bytes([len(payload)]) + payload + b"\x80"


def test_captions_within_frames_are_not_written(tmp_path):
    words, source, out = b"ANNA WAS HERE ", tmp_path / "tv.ts", tmp_path / "out.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height = 640, 360
        for index in range(5):
            for packet in stream.encode(av.VideoFrame.from_ndarray(grains(index), format="rgb24")):
                talking = av.Packet(captions(words) + bytes(packet))
                talking.pts, talking.dts, talking.time_base, talking.stream = index, index, Fraction(1, 25), stream
                container.mux(talking)
    assert b"GA94" in source.read_bytes()
    assert run(source, out) == 0
    assert b"GA94" not in out.read_bytes()
