"""What a watch makes of deaths and canaries; those who would tell it of a real server are replaced."""

import time

import pytest

from face_server.supervision import watch as module
from face_server.supervision.canary import Result, Verdict
from face_server.supervision.health import Health
from face_server.supervision.renewal import RenewalFailed
from face_server.supervision.stubs import Stub
from face_server.supervision.watch import Broken, Patience, Watch

# Time enough in every test, and none that is waited for.
PATIENCE = Patience(period=0, deadline=600, failures=3, silence=30)


class Triton:
    settings = http_url = grpc_url = admin_key = pid = None
    models = ("mtcnn",)
    is_running = True
    failure_reason = "out of memory"

    def wait(self):
        return -9


class Stubs:
    def __init__(self):
        self.dead, self.unseen = [], False

    def died_unseen(self):
        return self.unseen

    def wait(self, seconds):
        time.sleep(min(seconds, 0.001))
        dead, self.dead = self.dead, []
        return dead

    def close(self):
        pass


class Renewals:
    def __init__(self):
        self.added, self.is_at_work, self.outcome = [], False, 0

    def add(self, dead):
        self.added += [stub.instance for stub in dead]

    def proceed(self):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        done, self.outcome = self.outcome, 0
        return done

    def close(self):
        pass


class Canary:
    def __init__(self):
        self.result, self.asked = Result(Verdict.ANSWERED, 0.02), 0

    def ask(self):
        self.asked += 1
        return self.result() if callable(self.result) else self.result

    def close(self):
        pass


class Scene:
    """A watch and all that it sees."""

    def __init__(self, monkeypatch, patience=PATIENCE):
        self.triton, self.stubs, self.renewals, self.canary = Triton(), Stubs(), Renewals(), Canary()
        monkeypatch.setattr(module, "StubWatch", lambda *_: self.stubs)
        monkeypatch.setattr(module, "Renewals", lambda *_: self.renewals)
        monkeypatch.setattr(module, "Canary", lambda *_: self.canary)
        monkeypatch.setattr(module, "canary_client", lambda *_: None)
        monkeypatch.setattr(module, "_AGAIN_SECONDS", 0)
        self.health = Health(good_for=600)
        self.watch = Watch(self.triton, self.health, lambda _line: None, patience)

    def look_until(self, condition):
        give_up = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < give_up
            self.watch.look(0.001)


@pytest.fixture
def scene(monkeypatch):
    made = Scene(monkeypatch)
    yield made
    made.watch.close()


FAILED = Result(Verdict.FAILED, 0.1, "no such model")
SILENT = Result(Verdict.SILENT, 10, "no answer")
BUSY = Result(Verdict.BUSY, 10, "no answer")


def test_a_process_that_died_before_anybody_watched(scene):
    scene.stubs.unseen = True
    with pytest.raises(Broken, match="died while the server started"):
        scene.watch.prove()
    assert not scene.health.is_ready()


def test_ready_from_the_first_canary_on(scene):
    assert not scene.health.is_ready()
    scene.watch.prove()
    assert scene.health.is_ready()


@pytest.mark.parametrize("result", [FAILED, SILENT])
def test_a_first_canary_without_an_answer(scene, result):
    scene.canary.result = result
    with pytest.raises(Broken, match=f"does not find the face in a small picture: {result.error}"):
        scene.watch.prove()


def test_a_first_canary_is_tried_some_times(scene):
    """gRPC may still think that nobody is there."""
    results = [FAILED, FAILED, Result(Verdict.ANSWERED, 0.02)]
    scene.canary.result = lambda: results.pop(0)
    scene.watch.prove()
    assert scene.health.is_ready()
    assert scene.health.canaries_failed == 0


def test_a_busy_server_is_ready(scene):
    scene.canary.result = BUSY
    scene.watch.prove()
    scene.look_until(lambda: scene.canary.asked > 20)
    assert scene.health.is_ready()
    assert scene.health.state == "busy"


def test_errors_in_a_row(scene):
    scene.watch.prove()
    scene.canary.result = FAILED
    with pytest.raises(Broken, match=r"^3 canaries in a row failed, the last one with: no such model$"):
        scene.look_until(lambda: False)
    assert scene.health.canaries_failed == 3
    assert not scene.health.is_ready()


def test_errors_between_answers_are_put_up_with(scene):
    results = [FAILED, FAILED, Result(Verdict.ANSWERED, 0.02)] * 20
    scene.canary.result = lambda: results[scene.canary.asked % len(results)]
    scene.look_until(lambda: scene.canary.asked > 60)
    assert scene.health.canaries_failed >= 38


def test_silence(scene):
    """Three canaries of ten seconds each."""
    scene.watch.prove()
    scene.canary.result = SILENT
    before = time.monotonic()
    scene.watch._silent_since = before - 29.9
    with pytest.raises(Broken, match=r"no canary was answered for \d+ s, and nothing moves"):
        scene.look_until(lambda: False)
    assert not scene.health.is_ready()


def test_silence_counts_from_the_first_question(scene):
    scene.watch.prove()
    scene.canary.result = Result(Verdict.SILENT, 29, "no answer")
    scene.look_until(lambda: scene.health.canaries_failed)
    assert scene.watch._silent_since == pytest.approx(time.monotonic() - 29, abs=20)


def test_a_death_ends_readiness_until_a_canary_passes_again(scene):
    scene.watch.prove()
    scene.canary.result = FAILED
    scene.renewals.is_at_work = True
    scene.stubs.dead = [Stub(None, "mtcnn", "mtcnn_0_0")]
    scene.watch.look(0.001)
    assert not scene.health.is_ready()
    assert scene.health.state == "the process of mtcnn_0_0 died"
    assert scene.renewals.added == ["mtcnn_0_0"]
    # However often it fails now: it is being seen to.
    scene.look_until(lambda: scene.health.canaries_failed > 10)
    scene.canary.result = Result(Verdict.ANSWERED, 0.02)
    scene.renewals.is_at_work, scene.renewals.outcome = False, 1
    scene.look_until(scene.health.is_ready)
    assert scene.health.renewals == 1


def test_what_was_asked_before_a_death_says_nothing_of_now(scene):
    scene.watch.prove()
    answers = []

    def late():
        while not answers:
            time.sleep(0.001)
        return Result(Verdict.ANSWERED, 0.02)

    scene.canary.result = late
    scene.look_until(lambda: scene.canary.asked == 2)
    scene.renewals.is_at_work = True
    scene.stubs.dead = [Stub(None, "mtcnn", "mtcnn_0_0")]
    scene.canary.result = FAILED
    scene.watch.look(0.001)
    answers.append(True)
    for _ in range(50):
        scene.watch.look(0.001)
        assert not scene.health.is_ready()


def test_a_renewal_that_fails(scene):
    scene.renewals.outcome = RenewalFailed("model mtcnn did not start again: no memory")
    with pytest.raises(Broken, match="no memory"):
        scene.watch.look(0.001)


def test_a_server_that_ended(scene):
    scene.triton.is_running = False
    with pytest.raises(Broken, match="Triton ended by itself with status -9: out of memory"):
        scene.watch.look(0.001)
