"""Tracks named by votes, and `faces video --gallery`."""

import json

import numpy as np
import pytest

from face_client import FaceClient
from face_client.errors import ServerError, ServerUnavailable, UnfitWeights
from face_client.faces import Faces
from face_client.messages import EMBEDDINGS, Response
from face_command.main import main
from face_gallery import Register, open_store
from face_tools.video.frames import Frame, FrameFaces, Name
from face_tools.video.naming import Namer
from tests import clips
from tests.fakes import FakeTransport
from tests.gallery.people import OTHERS, enrol, units
from tests.tools.gallery.conftest import POINTS, faces_like, sharp_crop

pytestmark = pytest.mark.usefixtures("plain")


def embed(request):
    """The first pixel of a crop says whose it is."""
    (crops,) = request.inputs.values()
    return Response({EMBEDDINGS: units(256)[crops[:, 0, 0, 0]]})


@pytest.fixture
def transport():
    return FakeTransport(embed)


@pytest.fixture
def namer(transport, tmp_path):
    """Person 1 is Ada, person 2 Bo; others are unknown. A face is looked up again two detected frames later."""
    with open_store(tmp_path / "people.gallery") as store, FaceClient(transport=transport) as client:
        enrol(store, units(256)[1:3], ["Ada", "Bo"])
        yield Namer(client, Register(store), every=2, votes=2)


def seen(tracks: dict[int | None, int], size: float = 1.0, detected: bool = True) -> FrameFaces:
    """A frame in which each track shows a person."""
    count = len(tracks)
    crops = np.repeat(sharp_crop()[np.newaxis], count, axis=0)
    crops[:, 0, 0] = np.array(list(tracks.values()), np.uint8).reshape(-1, 1)
    faces = Faces(
        boxes=np.tile(np.array([0, 0, 100, 100], np.float32) * size, (count, 1)),
        probabilities=np.full(count, 0.99, np.float32),
        landmarks=np.tile(POINTS * size, (count, 1, 1)).astype(np.float32),
        width=200,
        height=200,
        crops=crops,
    )
    return FrameFaces(Frame(0, 0.0, None), faces, tuple(tracks), detected=detected)


def names(namer: Namer, frames) -> list[list[str | None]]:
    return [[name and name.person for name in frame.names] for frame in namer.name(frames)]


def test_a_track_is_named_when_enough_looks_agree(namer, transport):
    frames = [seen({1: 1, 2: 2, 3: 77})] * 5
    assert names(namer, frames) == [[None] * 3] * 2 + [["Ada", "Bo", None]] * 3
    assert len(transport.requests) == 3, "at the first, third and fifth frame, all tracks together"
    assert namer.of(1) == Name("Ada", "default", 3, 3)
    assert namer.named() == {1: Name("Ada", "default", 3, 3), 2: Name("Bo", "default", 3, 3), 3: None}


def test_the_majority_counts_and_strangers_vote_for_nobody(namer):
    def after(*people):
        list(namer.name([frame for person in people for frame in (seen({1: person}), seen({1: person}))]))
        return namer.of(1) and namer.of(1).person

    assert after(1, 2) is None
    assert after(1) == "Ada", "two of three"
    assert after(77) is None, "two of four is no majority"
    assert after(2, 2, 2) == "Bo", "four of seven"


def test_only_faces_that_are_good_enough_vote(namer, transport):
    poor, good = seen({1: 1}, size=0.2), seen({1: 1})
    assert names(namer, [poor] * 3) == [[None]] * 3
    assert transport.requests == []
    assert names(namer, [good, poor, poor, good]) == [[None]] * 3 + [["Ada"]], "as soon as it is good enough"


def test_frames_between_have_the_names_and_no_votes(namer, transport):
    assert names(namer, [seen({1: 1}), seen({1: 1}), seen({1: 1}), seen({1: 1}, detected=False)])[-1] == ["Ada"]
    assert len(transport.requests) == 2
    assert names(namer, [seen({None: 1}), seen({})]) == [[None], []], "a face without a number"


def test_other_weights_end_it(namer, transport):
    frames = namer.name([seen({1: 1})] * 3)
    next(frames)
    transport.weights = OTHERS
    with pytest.raises(UnfitWeights, match="other weights meanwhile"):
        list(frames)
    with pytest.raises(UnfitWeights, match="reindex"):
        Namer(namer._client, namer._register)


def failing_first(reply, error):
    """A reply whose first embeddings fail."""
    errors = [error]

    def answer(request):
        if request.outputs == (EMBEDDINGS,) and errors:
            raise errors.pop()
        return reply(request)

    return answer


def test_a_look_that_fails_is_made_again_with_the_next_frame(namer, transport):
    transport.reply = failing_first(embed, ServerError("out of order"))
    told = [(frame.names, str(namer.error)) for frame in namer.name([seen({1: 1})] * 4)]
    ada = Name("Ada", "default", 2, 2)
    assert told == [((None,), "out of order"), ((None,), "None"), ((None,), "None"), ((ada,), "None")]
    assert namer.failures == 1


def video(*arguments) -> int:
    return main(["video", *map(str, arguments)])


@pytest.fixture
def clip(tmp_path):
    return clips.write(tmp_path / "clip.mp4", [clips.background()] * 12)


@pytest.fixture
def server(command_transport):
    """Everybody is person 1."""
    command_transport.reply = lambda request: embed(request) if request.outputs == (EMBEDDINGS,) else faces_like([1])
    return command_transport


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.gallery"
    with open_store(path) as store:
        enrol(store, units(256)[1:2], ["Ada"], metadata={"site": "A"})
    return path


@pytest.mark.usefixtures("server")
def test_names_in_lines_and_labels(clip, people, tmp_path, capsys):
    plain, named = tmp_path / "plain.mp4", tmp_path / "named.mp4"
    assert video(clip, "--out", plain) == 0
    assert video(clip, "--out", named, "--gallery", people, "--look-every", "3") == 0
    lines = [json.loads(line) for line in named.with_suffix(".jsonl").read_text().splitlines()]
    told = [line["faces"][0]["person"] for line in lines]
    assert told == [None] * 3 + ["Ada"] * 9
    assert (lines[-1]["faces"][0]["votes"], lines[-1]["faces"][0]["looks"]) == (4, 4)
    assert "person" not in json.loads(plain.with_suffix(".jsonl").read_text().splitlines()[0])["faces"][0]
    assert "#1: Ada, 4 of 4 looks" in capsys.readouterr().err
    first, last = ((clips.read(plain)[n].astype(int) - clips.read(named)[n]) for n in (0, -1))
    assert np.abs(first).max() < 30 < np.abs(last).max(), "the label is another from the name on"


@pytest.mark.usefixtures("server")
def test_only_some_are_asked_about(clip, people, capsys):
    arguments = (clip, "--gallery", people, "--look-every", "1")
    assert video(*arguments, "--where", "site=B") == 0
    assert "1 of 1 tracks are unknown" in capsys.readouterr().err
    assert video(*arguments, "--where", "site=A", "--votes", "13") == 0
    assert "1 of 1 tracks are unknown" in capsys.readouterr().err


def test_no_gallery_or_no_facenet(server, clip, tmp_path, people, capsys):
    assert video(clip, "--gallery", tmp_path / "nowhere") == 1
    assert "nowhere is not there" in capsys.readouterr().err
    server.is_ready = lambda model, _timeout: model != "facenet"
    assert video(clip, "--gallery", people) == 3
    assert "no server with model 'facenet'" in capsys.readouterr().err
    assert server.requests == []


def test_a_look_that_fails_costs_no_frame(server, clip, people, tmp_path, capsys):
    server.reply = failing_first(server.reply, ServerError("out of order"))
    out = tmp_path / "named.mp4"
    assert video(clip, "--out", out, "--gallery", people, "--look-every", "3") == 1
    assert "frame 0: no face was looked up: out of order" in capsys.readouterr().err
    lines = [json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()]
    assert [line["faces"][0]["person"] for line in lines] == [None] * 4 + ["Ada"] * 8


def test_a_facenet_that_goes_away_ends_it(server, clip, people, capsys):
    def gone(_request):
        server.ready = False
        raise ServerUnavailable("connection refused")

    reply = server.reply
    server.reply = lambda request: (gone if request.outputs == (EMBEDDINGS,) else reply)(request)
    assert video(clip, "--gallery", people, "--retries", "0") == 3
    assert "no server with model 'facenet'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [("--collection", "a"), ("--where", "a=1"), ("--threshold", "1"), ("--random-weights",)]
)
def test_people_are_chosen_from_a_gallery_only(option, capsys):
    assert main(["video", "clip.mp4", *option]) == 2
    assert f"{option[0]} is about the people of a gallery: name it with --gallery" in capsys.readouterr().err
