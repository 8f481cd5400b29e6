"""When Triton is started again, when no more, and what others are told of it. Triton and its watch are replaced."""

from types import SimpleNamespace

import pytest

from face_server.errors import GaveUp, SetupError, StartError
from face_server.settings import Settings
from face_server.supervision import supervisor as module
from face_server.supervision.health import Health
from face_server.supervision.supervisor import Supervisor
from face_server.supervision.watch import Broken


class Triton:
    """Remembers starts and stops. fails: errors of the starts to come, None for one that works."""

    def __init__(self):
        self.settings, self.ports = Settings(), (11, 12, 13)
        self.calls, self.fails = [], []
        self.on_start = lambda: None

    def start(self):
        self.calls.append("start")
        self.on_start()
        error = self.fails.pop(0) if self.fails else None
        if error:
            raise error

    def stop(self, _grace):
        self.calls.append("stop")


class Watch:
    """of: for each start, the reason for which it will be broken; none is left: all is well."""

    def __init__(self, health, of, unproved):
        self._health, self._of, self._unproved = health, of, unproved

    def prove(self):
        if self._unproved:
            raise Broken(self._unproved.pop(0))
        self._health.passed(0.02)

    def look(self, _seconds):
        if self._of:
            reason = self._of.pop(0)
            raise Broken(*([reason] if isinstance(reason, str) else reason))

    def close(self):
        pass


class Scene:
    def __init__(self, monkeypatch):
        self.triton, self.health, self.lines, self.pauses = Triton(), Health(good_for=600), [], []
        self.breaks, self.unproved = [], []
        self.now, self.start_seconds = 0.0, 0.0
        self.triton.on_start = self._take
        monkeypatch.setattr(module, "Watch", lambda _t, health, *_: Watch(health, self.breaks, self.unproved))
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=self._sleep, monotonic=lambda: self.now))
        self.supervisor = Supervisor(self.triton, self.health, self.lines.append)

    def run(self):
        """Until nothing more breaks."""
        with self.supervisor as running:
            running.run(until=lambda: not self.breaks)

    def _take(self):
        self.now += self.start_seconds

    def _sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def scene(monkeypatch):
    return Scene(monkeypatch)


def test_a_server_that_stays_well(scene):
    with scene.supervisor as running:
        assert scene.health.is_ready()
        running.run(until=lambda: True)
    assert scene.triton.calls == ["start", "stop"]
    assert not scene.health.is_ready()
    assert scene.health.state == "stopping"


def test_a_restart(scene):
    scene.breaks = ["Triton ended by itself with status -9: killed"]
    scene.run()
    assert scene.triton.calls == ["start", "stop", "start", "stop"]
    assert scene.health.restarts == 1
    assert scene.lines == [
        "Triton ended by itself with status -9: killed; Triton is started again",
        "Triton answers again after 0.0 s",
    ]
    # Whoever knows the ports finds it there again.
    settings = scene.triton.settings
    assert (settings.http_port, settings.grpc_port, settings.metrics_port) == scene.triton.ports


def test_strangers_hear_nothing_out_of_logs(scene):
    states = []
    scene.triton.on_start = lambda: states.append(scene.health.state)
    scene.breaks = [("Triton ended by itself with status 1", "/models/pnet/1: request 5d2a"), "b"]
    scene.triton.fails = [None, StartError("Triton stopped before it was ready: /models/pnet/1")]
    scene.run()
    assert states[1:3] == ["restarting: Triton ended by itself with status 1", "restarting: a start failed"]
    assert "/models/pnet/1: request 5d2a" in scene.lines[0]


def test_pauses_double(scene):
    scene.breaks = ["a", "b", "c", "d"]
    scene.run()
    assert scene.pauses == [0, 1, 2, 4]
    assert scene.health.restarts == 4
    assert scene.lines[2] == "b; Triton is started again in 1 s"


def test_gives_up_after_five_in_ten_minutes(scene):
    scene.breaks = list("abcdef")
    with pytest.raises(
        GaveUp,
        match=r"again 5 times, one after the .* so this is given up; the last time because: f$",
    ):
        scene.run()
    assert scene.triton.calls.count("start") == 6
    assert scene.triton.calls[-1] == "stop"
    assert not scene.health.is_ready()


def test_what_was_long_ago_is_forgotten(scene):
    scene.breaks = list("abcde")
    with scene.supervisor as running:
        running.run(until=lambda: not scene.breaks)
        scene.now += 700
        scene.breaks += ["f"]
        running.run(until=lambda: not scene.breaks)
    assert scene.pauses[-1] == 0


def test_gives_up_after_five_slow_starts_that_fail(scene):
    """Each waits two minutes for Triton, so that ten minutes hold fewer than five."""
    scene.breaks = ["ended"]
    scene.triton.fails = [None, *[StartError("not ready after 120 s")] * 20]
    scene.start_seconds = 130
    with pytest.raises(GaveUp, match="the last time because: not ready after 120 s"):
        scene.run()
    assert scene.triton.calls.count("start") == 6


@pytest.mark.parametrize("error", [StartError("no memory"), SetupError("port in use")])
def test_a_start_that_fails_is_tried_again(scene, error):
    scene.breaks = ["ended"]
    scene.triton.fails = [None, error, error]
    scene.run()
    assert scene.pauses == [0, 1, 2]
    assert scene.health.restarts == 1
    assert scene.lines[1] == f"{error}; Triton is started again in 1 s"


def test_a_server_that_starts_and_does_not_answer_is_no_server(scene):
    scene.unproved = ["does not find the face"]
    with pytest.raises(StartError, match="does not find the face"), scene.supervisor:
        pass
    assert scene.triton.calls == ["start", "stop"]


def test_one_that_does_not_answer_after_a_restart_is_started_again(scene):
    with scene.supervisor as running:
        scene.breaks += ["ended"]
        scene.unproved += ["does not find the face"]
        running.run(until=lambda: not scene.breaks)
    assert scene.triton.calls == ["start", "stop", "start", "stop", "start", "stop"]
    assert scene.health.restarts == 1
