"""The pipeline, with a server that is made up: which frames it is asked about, and what the others get."""

import numpy as np
import pytest

from face_client import FaceClient, InvalidInput, ServerError, VideoError
from face_client.messages import Response
from face_tools.video import Tracker, VideoReader, detect_video
from tests import clips

SIZE = 64


def picture(index):
    """Grey, brighter from frame to frame: what is in it tells which it is."""
    return np.full((SIZE, SIZE, 3), 16 + 8 * index, np.uint8)


def index_of(request):
    return round((request.inputs["image"].mean() - 16) / 8)


def face_at(x):
    boxes = np.array([[[x, 10, x + 20, 30]]], np.float32)
    return Response(
        {
            "boxes": boxes,
            "probabilities": np.full((1, 1), 0.9, np.float32),
            "landmarks": np.full((1, 1, 5, 2), x, np.float32),
            "num_faces": np.array([[1]], np.int32),
            "candidates_dropped": np.array([[0]], np.int32),
        }
    )


@pytest.fixture
def clip(tmp_path):
    """12 frames."""
    return clips.write(tmp_path / "clip.mp4", map(picture, range(12)), options={"crf": "1"})


@pytest.fixture
def transport(make_transport):
    """One face, which moves by 2 pixels a frame."""
    return make_transport(lambda request: face_at(2.0 * index_of(request)))


def detect(transport, clip, **options):
    with FaceClient(transport=transport) as client:
        return list(detect_video(client, clip, **options))


def test_every_frame(transport, clip):
    answers = detect(transport, clip)
    assert [answer.frame.index for answer in answers] == list(range(12))
    assert [answer.frame.time for answer in answers] == pytest.approx([index / clips.RATE for index in range(12)])
    assert all(answer.detected for answer in answers)
    assert [answer.faces.boxes[0, 0] for answer in answers] == [2 * index for index in range(12)]
    assert {answer.tracks for answer in answers} == {(1,)}


@pytest.mark.parametrize(("stride", "in_flight"), [(1, 1), (2, 16), (4, 1), (5, 3), (50, 2)])
def test_with_a_stride_the_frames_between_are_interpolated(transport, clip, stride, in_flight):
    answers = detect(transport, clip, stride=stride, in_flight=in_flight)
    sent = list(range(0, 12, stride))
    assert sorted(map(index_of, transport.requests)) == sent
    assert [answer.frame.index for answer in answers if answer.detected] == sent
    # After the last one there is nothing to move towards.
    expected = [2 * min(index, sent[-1]) for index in range(12)]
    assert [answer.faces.boxes[0, 0] for answer in answers] == pytest.approx(expected)
    assert {answer.tracks for answer in answers} == {(1,)}


def test_hold(transport, clip):
    answers = detect(transport, clip, stride=4, carry="hold")
    assert [answer.faces.boxes[0, 0] for answer in answers] == [0, 0, 0, 0, 8, 8, 8, 8, 16, 16, 16, 16]


def test_a_frame_that_is_refused_has_no_faces_and_the_video_goes_on(transport, clip):
    def reply(request):
        if index_of(request) == 4:
            raise ServerError("out of order")
        return face_at(2.0 * index_of(request))

    transport.reply = reply
    answers = detect(transport, clip, stride=4)
    assert [len(answer.faces) for answer in answers] == [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1]
    assert [answer.frame.index for answer in answers if answer.error is not None] == [4]
    assert [answer.detected for answer in answers] == [index in (0, 8) for index in range(12)]
    assert answers[4].to_dict()["error"] == "out of order"
    assert {answer.tracks for answer in answers} == {(1,), ()}


def test_options_and_max_side_are_passed_on(transport, clip):
    detect(transport, clip, max_side=32, min_face_size=12)
    assert transport.requests[0].inputs["image"].shape == (1, 32, 32, 3)
    assert transport.requests[0].parameters == {"min_face_size": 12}


def test_faces_without_a_number(transport, clip):
    answers = detect(transport, clip, stride=4, tracker=Tracker(min_hits=2))
    assert [answer.tracks for answer in answers] == [(None,)] * 4 + [(1,)] * 8
    assert answers[0].to_dict()["faces"][0]["track"] is None


def test_a_line_of_json(transport, clip):
    line = detect(transport, clip, stride=4)[1].to_dict()
    assert list(line) == ["frame", "time", "detected", "width", "height", "faces"]
    assert (line["frame"], line["time"], line["detected"], line["width"]) == (1, 0.04, False, SIZE)
    assert list(line["faces"][0]) == ["track", "box", "probability", "landmarks"]
    assert line["faces"][0]["box"] == [2.0, 10.0, 22.0, 30.0]


def test_no_more_frames_are_read_than_can_be_in_flight(transport, clip):
    """An endless source, of which nobody asks for more than a few frames."""
    (frame, *_) = VideoReader(clip)
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield frame

    with FaceClient(transport=transport) as client:
        answers = detect_video(client, endless(), stride=5, in_flight=3)
        for given in range(1, 200):
            next(answers)
            assert taken <= given + 4 * 5


def test_a_source_that_breaks_off_gives_its_frames_first(transport, clip):
    def broken():
        yield from VideoReader(clip)
        raise VideoError("the cable is out")

    given = []
    with FaceClient(transport=transport) as client, pytest.raises(VideoError, match="cable"):
        given.extend(detect_video(client, broken(), stride=3))
    assert len(given) == 12


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"carry": "guess"}, {"in_flight": 0}])
def test_wrong_arguments(transport, clip, wrong):
    with pytest.raises(InvalidInput, match=f"{next(iter(wrong))} is"):
        detect(transport, clip, **wrong)
