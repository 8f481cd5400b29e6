"""`faces video`: files, lines, exit status."""

import json
import os
import signal
import sys
import threading
import time

import pytest

import face_tools.video
from face_client import InvalidInput, ServerError, ServerOverloaded
from face_command.main import main
from face_tools.video import VideoReader
from face_tools.video.writing import SUFFIXES
from tests import cameras, clips

FRAMES = 20


pytestmark = pytest.mark.usefixtures("plain")


@pytest.fixture
def clip(tmp_path):
    """Twenty frames, eight tenths of a second."""
    return clips.write(tmp_path / "clip.mp4", [clips.background()] * FRAMES)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "found" / "copy.mp4"


def run(*arguments):
    return main(["video", *map(str, arguments)])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def at_frame(number, reply, error):
    """A reply that fails once, at the request of that number."""
    seen = 0

    def answer(request):
        nonlocal seen
        seen += 1
        if seen == number + 1:
            raise error
        return reply(request)

    return answer


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_an_earlier_run_are_replaced_and_no_others(clip, out, suffix, capsys):
    out = out.with_suffix(suffix)
    assert run(clip, "--out", out) == run(clip, "--out", out) == 0
    for file, content in ((out, clip.read_bytes()), (out.with_suffix(".jsonl"), b'{"mine": 1}\n')):
        ours = file.read_bytes()
        file.write_bytes(content)
        assert run(clip, "--out", out) == 2
        assert f"would overwrite {file}, which this command did not write" in capsys.readouterr().err
        assert file.read_bytes() == content
        file.write_bytes(ours)


def test_a_forgotten_file_name_costs_no_clip(transport, clip, tmp_path, capsys):
    """`faces video --out *.mp4` of two clips: the first stands where the copy should."""
    first = clips.write(tmp_path / "a.mp4", [clips.background()])
    before = first.read_bytes()
    assert run("--out", first, clip) == 2
    assert f"--out would overwrite {first}" in capsys.readouterr().err
    assert first.read_bytes() == before
    assert transport.requests == []
    assert run("--out", first, clip, "--force") == 0
    assert first.read_bytes() != before


@pytest.mark.usefixtures("transport")
def test_a_copy_and_its_lines(clip, out, capsys):
    assert run(clip, "--out", out) == 0
    pictures = clips.read(out)
    assert len(pictures) == FRAMES
    # The made-up face, at 0, 10, 20, 40, has a box now.
    assert abs(pictures[5][25, 20].astype(int) - clips.background()[25, 20]).max() > 60
    found = lines(out.with_suffix(".jsonl"))
    assert [line["frame"] for line in found] == list(range(FRAMES))
    assert [line["faces"][0]["track"] for line in found] == [1] * FRAMES
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"{FRAMES} frames, {FRAMES} of them detected, 1 tracks, ")
    assert output.err.endswith(" FPS\n")


def test_lines_only(transport, clip, capsys):
    assert run(clip, "--stride", 6, "--min-face-size", 30) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["detected"] for line in found] == [index % 6 == 0 for index in range(FRAMES)]
    assert len(transport.requests) == 4
    assert transport.requests[0].parameters == {"min_face_size": 30}
    assert list(clip.parent.iterdir()) == [clip]


@pytest.mark.usefixtures("transport")
def test_lines_in_a_file_of_another_name(clip, out, tmp_path, capsys):
    assert run(clip, "--out", out, "--json", tmp_path / "new" / "a.json", "--seconds", 0.2) == 0
    assert len(lines(tmp_path / "new" / "a.json")) == len(clips.read(out)) == 5
    assert not out.with_suffix(".jsonl").exists()
    assert run(clip, "--out", out, "--json", "-", "--seconds", 0.2) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_frame_that_is_refused(transport, clip, out, capsys):
    transport.reply = at_frame(3, transport.reply, ServerError("out of order"))
    assert run(clip, "--out", out, "--in-flight", 1) == 1
    found = lines(out.with_suffix(".jsonl"))
    assert [line["frame"] for line in found if "error" in line] == [3]
    assert len(found) == len(clips.read(out)) == FRAMES
    err = capsys.readouterr().err
    assert "frame 3: out of order\n" in err
    assert f"{FRAMES} frames, {FRAMES - 1} of them detected, 1 refused, 1 tracks" in err


def test_a_server_that_refuses_the_first_frame_ends_it(transport, clip, out, capsys):
    transport.reply = at_frame(0, transport.reply, InvalidInput("factor is 2.0; it must be between 0.1 and 0.9"))
    assert run(clip, "--out", out, "--factor", 2, "--in-flight", 1) == 2
    assert capsys.readouterr().err == "faces video: factor is 2.0; it must be between 0.1 and 0.9\n"
    assert not out.exists()


def test_no_server(transport, clip, out, capsys):
    transport.ready = False
    assert run(clip, "--out", out, "--url", "127.0.0.1:9") == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "127.0.0.1:9" in err
    assert "faces serve" in err
    assert not out.parent.exists()


@pytest.mark.slow
def test_a_server_that_goes_away(goes_away, clip, out, capsys):
    goes_away(7)
    assert run(clip, "--out", out, "--in-flight", 1) == 3
    assert len(lines(out.with_suffix(".jsonl"))) == len(clips.read(out)) == 7
    err = capsys.readouterr().err.splitlines()
    assert err[0].startswith("7 frames, 7 of them detected")
    assert "no server" in err[1]


def test_interrupted(transport, make_answer, clip, out, capsys):
    """Ctrl-C, wherever it meets the command."""

    def reply(_request):
        if len(transport.requests) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return make_answer()

    transport.reply = reply
    assert run(clip, "--out", out) == 130
    written = len(lines(out.with_suffix(".jsonl")))
    assert 0 < written < FRAMES
    assert len(clips.read(out)) == written
    assert capsys.readouterr().err.startswith(f"{written} frames")


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_while_a_camera_is_silent(out, number, status, request):
    """FFmpeg waits for a frame that never comes, and hears of no signal."""
    # Under nohup it is ignored, and the command leaves it so.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    with cameras.camera(cameras.silent_after(8)) as address:
        kill = threading.Timer(2, os.kill, (os.getpid(), number))
        kill.start()
        assert run(address, "--out", out) == status
        kill.join()
    written = len(lines(out.with_suffix(".jsonl")))
    # FFmpeg may keep one, until it sees the next one begin.
    assert written >= 7
    assert len(clips.read(out)) == written


@pytest.mark.usefixtures("transport")
def test_a_camera_that_falls_silent_ends_it(out, capsys):
    """What was under way is answered and written."""
    with cameras.camera(cameras.silent_after(8)) as address:
        assert run(address, "--out", out, "--read-timeout", 0.5) == 1
    assert len(lines(out.with_suffix(".jsonl"))) == len(clips.read(out)) == 8
    summary, reason = capsys.readouterr().err.splitlines()
    assert summary.startswith("8 frames")
    assert reason == f"faces video: {address} sent no frame for 0.5 s (read_timeout)"


def test_a_start_that_fails_leaves_earlier_files_alone(transport, clip, out, capsys):
    assert run(clip, "--out", out) == 0
    earlier = [out.read_bytes(), out.with_suffix(".jsonl").read_bytes()]
    (clip.parent / "words.mp4").write_text("no video")
    assert run(clip.parent / "words.mp4", "--out", out) == 1
    with cameras.camera(cameras.never_answers) as address:
        assert run(address, "--out", out, "--read-timeout", 0.2) == 1
    transport.reply = at_frame(0, transport.reply, InvalidInput("factor is 2.0; it must be between 0.1 and 0.9"))
    assert run(clip, "--out", out, "--in-flight", 1) == 2
    transport.ready = False
    assert run(clip, "--out", out) == 3
    assert [out.read_bytes(), out.with_suffix(".jsonl").read_bytes()] == earlier
    assert len(capsys.readouterr().err.splitlines()) == 5


@pytest.mark.usefixtures("transport")
def test_a_later_run_replaces_its_own_files(clip, out):
    assert run(clip, "--out", out) == 0
    assert run(clip, "--out", out, "--seconds", 0.2) == 0
    assert len(lines(out.with_suffix(".jsonl"))) == len(clips.read(out)) == 5


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["missing.mp4"], 1, "missing.mp4 cannot be read as a video: No such file or directory"),
        (["words.mp4"], 1, "words.mp4 cannot be read as a video: Invalid data found when processing input"),
        (["--camera", "63"], 1, "/dev/video63 cannot be read as a video: No such file or directory"),
        (["clip.mp4", "--out", "clip.mp4"], 1, "clip.mp4 is the video that is read; write to another file"),
        (["clip.mp4", "--out", "a.avi"], 1, "a.avi cannot be written: its name must end in .mp4, .m4v, .mov, .mkv"),
        (["clip.mp4", "--json", "clip.mp4"], 2, "--json would overwrite clip.mp4; name another file"),
        (["clip.mp4", "--out", "full.mp4"], 1, "full.mp4 cannot be written: No space left on device"),
        (["clip.mp4", "--json", "/dev/full"], 1, "[Errno 28] No space left on device"),
    ],
)
def test_one_sentence_for_what_is_wrong(clip, arguments, status, sentence, monkeypatch, capsys):
    monkeypatch.chdir(clip.parent)
    (clip.parent / "words.mp4").write_text("no video")
    (clip.parent / "full.mp4").symlink_to("/dev/full")
    assert run(*arguments) == status
    assert capsys.readouterr().err == f"faces video: {sentence}\n"


@pytest.mark.usefixtures("transport")
def test_sound_that_is_dropped_is_told(tmp_path, out, capsys):
    clip = clips.write(tmp_path / "clip.mkv", [clips.background()] * 3, sound="pcm_u8")
    assert run(clip, "--out", out) == 0
    assert capsys.readouterr().err.splitlines()[1] == "the copy has no sound: mp4 has no place for pcm_u8"


@pytest.mark.usefixtures("transport")
def test_dropped_candidates_are_told(transport, make_answer, clip, capsys):
    transport.reply = lambda _request: make_answer(1, candidates_dropped=5)
    assert run(clip, "--seconds", 0.1) == 0
    assert "dropped 15 candidates" in capsys.readouterr().err


def test_a_camera(transport, make_answer, out, monkeypatch):
    """FFmpeg's test card at the pace of a camera. Between the frames that were looked at, faces stay as they were."""
    card = "testsrc=size=160x120:rate=50,realtime"
    monkeypatch.setattr(
        face_tools.video,
        "open_camera",
        lambda _number, read_timeout: VideoReader(card, container="lavfi", read_timeout=read_timeout),
    )
    transport.reply = lambda _request: make_answer(len(transport.requests))
    start = time.monotonic()
    assert run("--camera", 0, "--out", out, "--seconds", 0.5, "--stride", 5, "--in-flight", 1) == 0
    assert time.monotonic() - start > 0.4
    found = lines(out.with_suffix(".jsonl"))
    assert len(found) == len(clips.read(out)) == 25
    assert [len(line["faces"]) for line in found] == [1 + index // 5 for index in range(25)]


def test_without_the_extra(clip, monkeypatch, capsys):
    # The package keeps its modules as attributes too: what is imported anew shall not stay there.
    monkeypatch.setattr(face_tools, "video", face_tools.video)
    for name in [name for name in sys.modules if name.startswith("face_tools.video")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "av", None)
    assert run(clip) == 2
    assert capsys.readouterr().err == (
        'faces: a package is missing: av is needed for videos: pip install "av>=15" "scipy>=1.9"\n'
    )


def test_a_full_server_is_not_taken_for_none(transport, clip, capsys):
    def reply(_request):
        raise ServerOverloaded("its queue is full")

    transport.reply = reply
    assert run(clip, "--timeout", 0.2) == 1
    assert capsys.readouterr().err == "faces video: its queue is full\n"
