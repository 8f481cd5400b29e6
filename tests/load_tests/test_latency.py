"""The order of the rounds, and what happens when a peer falls out."""

import numpy as np
import pytest

from face_bench import latency
from face_bench.contenders import FoundFaces, Measured, PeerError
from face_bench.latency import measure, summarise
from face_bench.pictures import Picture

PIXELS = np.zeros((6, 8, 3), np.uint8)
PICTURES = [Picture(name, PIXELS, b"", PIXELS) for name in ("one", "two")]


class Fake:
    """Takes as many seconds as it has been asked before; fails from its `fails_at`th time on."""

    def __init__(self, name, log, fails_at=None):
        self.name = name
        self.log = log
        self.fails_at = fails_at
        self.asked = 0

    def detect(self, picture):
        self.log.append((picture.name, self.name))
        if self.asked == self.fails_at:
            raise PeerError("it fell over")
        self.asked += 1
        return Measured(float(self.asked), FoundFaces.of([], [], []))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(latency, "_SETTLE_S", 0)


def test_contenders_take_turns_at_every_picture():
    log = []
    measure(
        [Fake("a", log), Fake("b", log)],
        PICTURES,
        warm_up=0,
        rounds=2,
        after_round=lambda done: log.append(f"round {done}"),
    )
    first = [("one", "a"), ("one", "b"), ("two", "a"), ("two", "b"), "round 1"]
    second = [("one", "b"), ("one", "a"), ("two", "b"), ("two", "a"), "round 2"]
    assert log == first + second


def test_warm_up_is_not_measured():
    measurements = measure([Fake("a", [])], PICTURES[:1], warm_up=2, rounds=3, after_round=lambda _done: None)
    (line,) = summarise(measurements, PICTURES[:1], ["a"])
    assert line.milliseconds.count == 3
    assert line.milliseconds.median == 4000
    assert line.fps == 0.25


def test_a_peer_that_fails_is_left_out_and_not_asked_again():
    log = []
    contenders = [Fake("a", log), Fake("b", log, fails_at=1)]
    measurements = measure(contenders, PICTURES, warm_up=0, rounds=3, after_round=lambda _done: None)
    assert measurements.failures == {"b": "it fell over"}
    assert sum(name == "b" for _, name in log) == 2
    assert {line.contender for line in summarise(measurements, PICTURES, ["a", "b"])} == {"a"}
