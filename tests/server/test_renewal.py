"""Which instance groups replace those with dead processes, in which order that is done, and after which pauses."""

import threading
import time

import pytest

from face_server.http_api import NoAnswer, TooLate
from face_server.supervision.renewal import Backoff, RenewalFailed, Renewals, died, instances, renewed, without
from face_server.supervision.stubs import Stub


def group(number, **more):
    return {"name": f"mtcnn_{number}", "count": 1, "kind": "KIND_CPU", **more}


def test_groups_without_dead_instances():
    groups = [group(0), group(1), {"name": "mtcnn_2", "count": 3}]
    assert without(groups, {"mtcnn_0_0"}) == groups[1:]
    assert without(groups, {"mtcnn_2_1", "mtcnn_1_0"}) == groups[:1]
    assert without(groups, {"other_0_0"}) == groups
    assert instances(groups[2]) == {"mtcnn_2_0", "mtcnn_2_1", "mtcnn_2_2"}


def test_new_groups_take_the_place_of_dead_ones():
    """Triton tells groups apart by what they say beside name and count."""
    groups = [group(0), group(1)]
    once = renewed(groups, {"mtcnn_0_0"}, "mtcnn")
    assert once == [groups[1], group(2, rate_limiter={"priority": 2})]
    twice = renewed(once, {"mtcnn_1_0", "mtcnn_2_0"}, "mtcnn")
    assert [g["name"] for g in twice] == ["mtcnn_3", "mtcnn_4"]
    # Whatever dies how often: no two are alike, and none is like one that was there before.
    seen = [group(0), group(1)]
    current = seen[:]
    for _ in range(20):
        current = renewed(current, instances(current[0]), "mtcnn")
        assert current[-1] not in seen
        assert len(current) == 2
        seen.append(current[-1])


class Control:
    """Remembers what it was told. fails: on the so-manieth call."""

    def __init__(self, groups, fails=None, error=None):
        self.groups, self.told = groups, []
        self._fails, self._error = fails, error or NoAnswer("no memory")

    def config(self, _model):
        return {"instance_group": self.groups}

    def set_groups(self, _model, groups, _seconds):
        if len(self.told) + 1 == self._fails:
            raise self._error
        self.told.append([g["name"] for g in groups])
        self.groups = groups


def stub(instance):
    return Stub(None, "mtcnn", instance)


def run(renewals, dead):
    """How many were renewed."""
    renewals.add([stub(name) for name in dead])
    assert renewals.is_at_work or not dead
    count, give_up = renewals.proceed(), time.monotonic() + 60
    while renewals.is_at_work:
        assert time.monotonic() < give_up
        time.sleep(0.005)
        count += renewals.proceed()
    return count


@pytest.fixture
def renewals_of():
    made = []

    def make(control, answers=True):
        control.lines = []
        made.append(Renewals(control, lambda: answers, control.lines.append))
        return made[-1]

    yield make
    for renewals in made:
        renewals.close()


def test_the_others_answer_alone_until_the_new_one_is_ready(renewals_of):
    control = Control([group(0), group(1)])
    assert run(renewals_of(control), ["mtcnn_0_0"]) == 1
    assert control.told == [["mtcnn_1"], ["mtcnn_1", "mtcnn_2"]]
    assert control.lines[0] == "the process of mtcnn_0_0 died and will be replaced"


def test_where_none_is_left_new_ones_are_started_at_once(renewals_of):
    control = Control([group(0), group(1)])
    assert run(renewals_of(control), ["mtcnn_0_0", "mtcnn_1_0"]) == 2
    assert control.told == [["mtcnn_2", "mtcnn_3"]]
    assert control.lines[0] == "the process of mtcnn_0_0 and that of mtcnn_1_0 died and will be replaced"


def test_what_dies_again_waits_longer(renewals_of, monkeypatch):
    waited = []
    renewals = renewals_of(Control([group(0), group(1)]))
    monkeypatch.setattr(renewals, "_closed", threading.Event())
    monkeypatch.setattr(renewals._closed, "wait", waited.append)
    for number in range(4):
        assert run(renewals, [f"mtcnn_{number}_0"]) == 1
    assert waited == [0, 1, 2, 4]


def test_an_instance_that_is_gone_already_is_left(renewals_of):
    control = Control([group(5)])
    assert run(renewals_of(control), ["mtcnn_0_0"]) == 0
    assert control.told == []


@pytest.mark.parametrize("fails", [1, 2])
def test_tritons_refusal_is_told(renewals_of, fails):
    renewals = renewals_of(Control([group(0), group(1)], fails))
    with pytest.raises(RenewalFailed, match="model mtcnn did not start again: no memory"):
        run(renewals, ["mtcnn_0_0"])


def test_an_end_that_triton_waits_for_in_vain(renewals_of):
    """The new ones answer, so there is time until the next death."""
    control = Control([group(0), group(1)], fails=1, error=TooLate("no answer within 120 s"))
    renewals = renewals_of(control)
    assert run(renewals, ["mtcnn_0_0", "mtcnn_1_0"]) == 2
    assert "answers again, but Triton waits for what died" in control.lines[-1]
    with pytest.raises(RenewalFailed, match="the process of mtcnn_2_0 died, and Triton still waits for the end of an"):
        run(renewals, ["mtcnn_2_0"])


def test_an_end_that_triton_waits_for_in_vain_while_nobody_is_answered(renewals_of):
    renewals = renewals_of(Control([group(0)], fails=1, error=TooLate("no answer within 120 s")), answers=False)
    with pytest.raises(RenewalFailed, match="no answer within 120 s"):
        run(renewals, ["mtcnn_0_0"])


@pytest.mark.parametrize("fails", [1, 2])
def test_where_others_answer_it_must_be_complete(renewals_of, fails):
    renewals = renewals_of(Control([group(0), group(1)], fails, TooLate("no answer within 60 s")))
    with pytest.raises(RenewalFailed, match="no answer within 60 s"):
        run(renewals, ["mtcnn_0_0"])


def test_died():
    assert died({"b", "a"}) == "the process of a and that of b died"


def test_pauses_double_up_to_the_longest():
    backoff = Backoff(first=1, longest=10, window=1000)
    assert [backoff.next_pause(now) for now in range(7)] == [0, 1, 2, 4, 8, 10, 10]


def test_what_is_long_ago_is_forgotten():
    backoff = Backoff(first=1, longest=10, window=100)
    assert [backoff.next_pause(now) for now in (0, 50, 99)] == [0, 1, 2]
    # The first is out of the window.
    assert backoff.next_pause(100) == 2
    assert backoff.next_pause(500) == 0


def test_a_limit_of_times():
    backoff = Backoff(window=100, limit=3)
    assert [backoff.next_pause(now) for now in (0, 1, 2, 3, 50)] == [0, 1, 2, None, None]
    # What was refused does not count.
    assert backoff.next_pause(100.5) == 2
    assert backoff.next_pause(101.5) == 2
    assert backoff.next_pause(101.6) is None
