"""Videos through the real server: who is where, under the same number all the time."""

import json

import numpy as np
import pytest

from face_command.main import main
from face_tools.video import VideoReader, detect_video
from tests import clips
from tests.pictures import astronaut

FRAMES = 50


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Three faces, of which one is covered for six frames: the file, and for each frame the boxes by number."""
    pictures, boxes = zip(*clips.frames(FRAMES), strict=True)
    return clips.write(tmp_path_factory.mktemp("video") / "clip.mp4", pictures, sound="aac"), boxes


def iou(a, b):
    overlap = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
    return overlap / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - overlap)


def who_is_who(answers, known, least_iou):
    """{number in the cast: its track numbers}; every face of every frame must be a known one, and all be found."""
    names = {}
    for answer, boxes in zip(answers, known, strict=True):
        found = {}
        for face, track in zip(answer.faces, answer.tracks, strict=True):
            best = max(boxes, key=lambda number: iou(face.box, boxes[number]))
            assert iou(face.box, boxes[best]) > least_iou, (answer.frame.index, best)
            found[best] = track
        assert set(found) == set(boxes), answer.frame.index
        for number, track in found.items():
            names.setdefault(number, set()).add(track)
    return names


@pytest.fixture(scope="module")
def every(client, clip):
    """The answers for all frames."""
    return list(detect_video(client, clip[0], min_face_size=40))


def test_every_frame(every, clip):
    assert all(answer.detected for answer in every)
    assert who_is_who(every, clip[1], 0.75) == {0: {1}, 1: {2}, 2: {3}}


def test_every_fourth_frame(client, every, clip):
    """Between frames 16 and 28 the covered face is carried on or not there yet: these frames are left out."""
    path, known = clip
    answers = list(detect_video(client, path, stride=4, min_face_size=40))
    assert [answer.frame.index for answer in answers if answer.detected] == list(range(0, FRAMES, 4))
    sure = [*range(17), *range(28, 49)]
    names = who_is_who([answers[index] for index in sure], [known[index] for index in sure], 0.7)
    assert names == {0: {1}, 1: {2}, 2: {3}}
    # What is carried is where it would have been detected, as far as the detector itself is steady.
    for index in sure:
        for box, track in zip(answers[index].faces.boxes, answers[index].tracks, strict=True):
            assert iou(box, every[index].faces.boxes[every[index].tracks.index(track)]) > 0.75


def test_a_video_that_a_phone_turned(client, every, clip, tmp_path):
    """Stored sideways: the same faces at the same places as upright."""
    path, _ = clip
    pictures = [np.rot90(picture) for picture in clips.read(path)[:3]]
    turned = clips.write(tmp_path / "phone.mp4", pictures, rotation=-90, options={"crf": "10"})
    for answer, upright in zip(detect_video(client, turned, min_face_size=40), every, strict=False):
        assert (answer.faces.width, answer.faces.height) == clips.SIZE
        for box, expected in zip(answer.faces.boxes, upright.faces.boxes, strict=True):
            assert iou(box, expected) > 0.9


def test_the_command(triton, clip, tmp_path, capsys):
    path, known = clip
    out = tmp_path / "found.mp4"
    arguments = [str(path), "--out", str(out), "--stride", "4", "--min-face-size", "40", "--url", triton.grpc_url]
    assert main(["video", *arguments]) == 0
    assert f"{FRAMES} frames, 13 of them detected, 3 tracks" in capsys.readouterr().err
    lines = [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    with VideoReader(out) as video:
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx([line["time"] for line in lines], abs=1e-3)
    for frame, line, boxes, plain in zip(frames, lines, known, clips.read(path), strict=True):
        assert len(line["faces"]) >= len(boxes) - 1
        changed = np.abs(frame.rgb().astype(int) - plain).max(axis=2)
        for face in line["faces"]:
            x1, y1, _, y2 = map(round, face["box"])
            # The box is drawn where the line says, and not beside it.
            sides = changed[y1 + 12 : y2 - 12]
            assert sides[:, x1 - 1 : x1 + 2].max(axis=1).mean() > 30
            assert sides[:, x1 - 6].mean() < 15


def test_numbers_end_where_the_picture_is_cut_to_somebody_else(client, tmp_path):
    """A still, a flash, a fast pan; a hard cut to somebody else at the same place; the same in front of what stays."""
    portrait, other = astronaut(), clips.somebody_else()
    white = np.full((300, 400, 3), 250, np.uint8)

    def shot(picture, x, gain=1.0):
        return np.clip(picture[:300, x : x + 400] * gain, 0, 255).astype(np.uint8)

    alone = [shot(portrait, 30)] * 4 + [shot(portrait, 30, 1.5), white] + [shot(portrait, 30)] * 3
    pan = [shot(portrait, x) for x in (50, 70, 90, 112)]
    somebody = [shot(other, 112)] * 6
    stage = [portrait[:220, 110:330], other[:220, 180:400]]
    for pictures in ([*alone, *pan, *somebody], [in_front(picture) for picture in stage for _ in range(6)]):
        path = clips.write(tmp_path / "clip.mp4", pictures)
        cut = len(pictures) - 6
        for stride in (1, 4):
            answers = list(detect_video(client, path, stride=stride, min_face_size=40))
            seen = [
                (answer.frame.index >= cut, track) for answer in answers if answer.detected for track in answer.tracks
            ]
            assert set(seen) == {(False, 1), (True, 2)}, stride


def in_front(picture):
    canvas = clips.background()
    canvas[40 : 40 + len(picture), 200 : 200 + len(picture)] = picture
    return canvas
