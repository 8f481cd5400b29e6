"""What each side says of a folder of pictures, and whether a server says the same."""

import numpy as np
import pytest
from PIL import Image

from face_admin.deploy.comparison import Answer
from face_admin.deploy.errors import DeployError
from face_admin.deploy.judging import ask_both, differs, find_pictures
from face_client.errors import ServerUnavailable
from face_client.faces import Faces

FACES = np.float32([[10, 10, 50, 50], [100, 10, 140, 50]])


def answer(boxes=FACES, seconds=0.0):
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    return Answer(boxes, np.zeros((len(boxes), 5, 2), np.float32), np.ones(len(boxes), np.float32), seconds)


class FakeCascade:
    """Answers with the picture's width as the number of faces, and takes the times it is given in turn."""

    def __init__(self, *seconds):
        self._seconds = list(seconds)

    def detect(self, image, _parameters):
        return answer(np.repeat(FACES[:1], image.shape[1], axis=0), self._seconds.pop(0))


class FakeServer:
    """Answers each picture, by its name, with these boxes."""

    def __init__(self, boxes):
        self._boxes = boxes
        self.asked = []

    def detect_batch(self, paths, **_options):
        for path in paths:
            self.asked.append(path)
            found = answer(self._boxes[path])
            yield Faces(found.boxes, found.probabilities, found.landmarks, 200, 200)


class DeadServer:
    url = "there:8001"

    def detect_batch(self, paths, **_options):
        raise ServerUnavailable(f"nobody answers {len(paths)} requests")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (3, 9)).save(tmp_path / "three.png")
    Image.new("RGB", (2, 9)).save(tmp_path / "sub" / "two.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    return tmp_path


def test_the_faster_of_two_runs_counts_and_what_cannot_be_read_is_told(folder):
    album = find_pictures(folder, print)
    assert set(album.pictures) == {"three.png", "sub/two.png", "broken.jpg"}
    answers = ask_both(FakeCascade(4, 2, 1, 3), FakeCascade(5, 6, 8, 7), album.pictures.items(), {})
    assert {name: len(found.boxes) for name, found in answers.live.items()} == {"three.png": 3, "sub/two.png": 2}
    assert sorted(found.seconds for found in answers.live.values()) == [1, 2]
    assert sorted(found.seconds for found in answers.candidate.values()) == [5, 7]
    assert answers.unreadable.keys() == {"broken.jpg"}
    assert "is not a picture" in answers.unreadable["broken.jpg"]


def test_a_folder_in_which_nothing_can_be_read(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(DeployError, match=r"none of the pictures can be read \(broken\.jpg: "):
        ask_both(FakeCascade(), FakeCascade(), find_pictures(tmp_path, print).pictures.items(), {})


def names(count):
    return {str(i): str(i) for i in range(count)}


def test_a_server_with_the_same_networks():
    expected = {"0": answer(), "1": answer([])}
    assert differs(FakeServer({"0": FACES + 0.3, "1": []}), expected, names(2), {}) == ""
    assert differs(FakeServer({"1": []}), {"1": answer([])}, names(2), {}) == ""


def test_a_server_with_others():
    expected = {"0": answer(), "1": answer()}
    moved = FakeServer({"0": FACES, "1": FACES + 8})
    assert differs(moved, expected, names(2), {}) == "only 0.333 of the faces in 2 pictures are the same"


def test_pictures_with_faces_are_asked_first():
    expected = {str(i): answer(FACES if i >= 30 else []) for i in range(40)}
    server = FakeServer({str(i): FACES if i >= 30 else [] for i in range(40)})
    assert differs(server, expected, names(40), {}) == ""
    assert set(map(str, range(30, 40))) < set(server.asked)
    assert len(server.asked) < 40


def test_a_server_that_does_not_answer():
    with pytest.raises(DeployError, match="the server at there:8001 does not answer: nobody answers 1 requests"):
        differs(DeadServer(), {"0": answer()}, names(1), {})
