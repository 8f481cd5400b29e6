"""A peer's process: asked, answered, and what is said when it ends."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from face_bench.contenders import PeerError
from face_bench.peers import Peer, PeerProcess

PYTHON = Path(sys.executable)


@pytest.fixture
def worker(monkeypatch):
    # `python -m` looks in the current folder.
    monkeypatch.chdir(Path(__file__).parents[2])
    peer = Peer("fake", "fake", (), "tests.load_tests.fake_peer")
    with closing(PeerProcess(peer, PYTHON)) as worker:
        yield worker


def test_the_worker_sees_the_pixels_and_answers(worker):
    pixels = np.random.RandomState(0).randint(0, 256, (30, 50, 3)).astype(np.uint8)
    for picture in (pixels, pixels[:20]):
        seconds, faces = worker.find(picture)
        assert 0 <= seconds < 10
        assert faces.boxes.tolist() == [[0, 0, 50, len(picture)]]
        assert faces.probabilities[0] == pytest.approx(picture.mean())
        assert faces.landmarks.shape == (1, 5, 2)
    assert worker.about == {"threads": 1}


def test_a_worker_that_ends_is_an_error_with_its_last_words(worker):
    with pytest.raises(PeerError, match=r"^fake: its process ended.*too small for me$"):
        worker.find(np.zeros((1, 1, 3), np.uint8))


def test_a_worker_that_does_not_start_is_an_error():
    peer = Peer("fake", "fake", (), "no_such_module")
    with pytest.raises(PeerError, match="No module named no_such_module"):
        PeerProcess(peer, PYTHON)
