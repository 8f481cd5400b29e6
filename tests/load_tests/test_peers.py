"""A peer's process: asked, answered, and what is said when it ends."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from face_bench import peers
from face_bench.contenders import PeerError
from face_bench.peer_rates import peer_rate
from face_bench.peers import Peer, PeerProcess
from face_bench.pictures import Picture

PYTHON = Path(sys.executable)


FAKE = Peer("fake", "fake", (), "tests.load_tests.fake_peer")


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    # `python -m` looks in the current folder.
    monkeypatch.chdir(Path(__file__).parents[2])


@pytest.fixture
def worker():
    with closing(PeerProcess(FAKE, PYTHON)) as worker:
        yield worker


def test_the_worker_sees_the_pixels_and_answers(worker):
    pixels = np.random.RandomState(0).randint(0, 256, (30, 50, 3)).astype(np.uint8)
    for picture in (pixels, pixels[:20]):
        seconds, faces = worker.find(picture)
        assert 0 <= seconds < 10
        assert faces.boxes.tolist() == [[0, 0, 50, len(picture)]]
        assert faces.probabilities[0] == pytest.approx(picture.mean())
        assert faces.landmarks.shape == (1, 5, 2)


def test_threads_are_its_own_choice_unless_told(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for threads, seen in ((None, None), (1, "1")):
        with closing(PeerProcess(FAKE, PYTHON, threads)) as worker:
            assert worker.about == {"threads": seen}


def test_what_is_installed_alone_comes_last_and_is_part_of_the_stamp(monkeypatch, tmp_path):
    commands = []

    def run(command, *_):
        commands.append(command)
        (tmp_path / "some" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "some" / "bin" / "python").touch()

    monkeypatch.setattr(peers, "_run", run)
    for alone in ("lean==1.0", "lean==1.0", "lean==2.0"):
        peers.environment(Peer("some", "some", ("one==1.0", "two==2.0"), alone=(alone,)), tmp_path, print)
    assert len(commands) == 6, "made once, and again for another version"
    assert commands[1][-2:] == ["one==1.0", "two==2.0"]
    assert commands[2][-2:] == ["--no-deps", "lean==1.0"]


def test_processes_at_work_at_once_each_see_every_picture():
    pixels = np.zeros((30, 50, 3), np.uint8)
    pictures = [Picture(name, pixels, b"", pixels) for name in "abc"]
    ours, done = iter([90.0, 10.0, 50.0]), []
    rate = peer_rate(FAKE, PYTHON, pictures, 2, 0.05, lambda: next(ours), done.append, 3)
    assert (rate.contender, rate.processes, rate.turns, rate.ours_per_second) == ("fake", 2, 3, 50.0)
    assert done == [1, 2, 3]
    assert rate.images >= 18
    assert rate.images % 3 == 0
    assert rate.images_per_second > 0
    assert rate.ratio > 0


def test_a_worker_that_ends_is_an_error_with_its_last_words(worker):
    with pytest.raises(PeerError, match=r"^fake: its process ended.*too small for me$"):
        worker.find(np.zeros((1, 1, 3), np.uint8))


def test_a_worker_that_does_not_start_is_an_error():
    peer = Peer("fake", "fake", (), "no_such_module")
    with pytest.raises(PeerError, match="No module named no_such_module"):
        PeerProcess(peer, PYTHON)
