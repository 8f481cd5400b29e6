"""The switch, step by step, on a server that fails where a test wants it to."""

import pytest

from face_admin.deploy.errors import ControlError, DeployError, SwitchFailed
from face_admin.deploy.store import Deployment, Store
from face_admin.deploy.switching import Control, Member, running, switch
from face_repository.versions import PARAMETER
from tests.tools.deploy.repositories import content, make_repository, make_version


class FakeControl:
    """A server by its control: `answers_with` is what callers hear. fails: the calls that fail, by number from 0."""

    def __init__(self, store, fails=(), pinned=None, url="fake:8001"):
        self.store, self.url = store, url
        self.calls = []
        self.fails = fails
        self.answers_with = dict(pinned or {})

    def switched_to(self):
        return self.answers_with

    def load(self, network, versions):
        assert all(self.store.file(network, number).is_file() for number in versions)
        self._call(("load", network, *sorted(versions)))

    def switch(self, versions):
        self._call(("switch", dict(versions)))
        self.answers_with = dict(versions)

    def _call(self, call):
        self.calls.append(call)
        if len(self.calls) - 1 in self.fails:
            raise ControlError(f"call {len(self.calls) - 1} refused")


@pytest.fixture
def store(tmp_path):
    return Store(make_repository(tmp_path))


def deploy(store, control, check=lambda: None):
    with store.staging() as staging:
        for network in ("pnet", "onet"):
            make_version(staging, network, 2)
        deployments = {n: Deployment("t", 1) for n in ("pnet", "onet")}
        return switch(store, [Member(control, check)], staging, deployments)


def test_new_networks_are_there_before_anybody_asks_them(store):
    control = FakeControl(store)
    assert deploy(store, control) == {"pnet": 2, "rnet": 1, "onet": 2} == store.live()
    assert control.calls == [
        ("load", "pnet", 1, 2),
        ("load", "onet", 1, 2),
        ("switch", {"pnet": 2, "rnet": 1, "onet": 2}),
    ]


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_what_fails_is_taken_back(store, fails):
    before = content(store.path)
    control = FakeControl(store, {fails})
    with pytest.raises(SwitchFailed, match=f"^call {fails} refused; nothing was changed$"):
        deploy(store, control)
    assert content(store.path) == before
    assert control.answers_with in ({}, {"pnet": 1, "rnet": 1, "onet": 1})
    assert control.calls[-2:] == [("load", "pnet", 1), ("load", "onet", 1)]


def test_a_server_that_answers_otherwise_is_switched_back(store):
    before = content(store.path)
    control = FakeControl(store)

    def check():
        assert control.answers_with["pnet"] == 2
        raise DeployError("answers differ")

    with pytest.raises(SwitchFailed, match=r"^answers differ; nothing was changed$"):
        deploy(store, control, check)
    assert control.answers_with == {"pnet": 1, "rnet": 1, "onet": 1}
    assert content(store.path) == before


def test_an_interruption_is_taken_back_too(store):
    before = content(store.path)
    control = FakeControl(store)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(store, control, interrupt)
    assert control.answers_with == {"pnet": 1, "rnet": 1, "onet": 1}
    assert content(store.path) == before


def test_a_server_that_is_gone_leaves_the_repository_as_it_was(store):
    before = content(store.path)
    with pytest.raises(SwitchFailed, match=r"as before, but the server at fake:8001 must be started again: call 3"):
        deploy(store, FakeControl(store, fails={2, 3}))
    assert content(store.path) == before


def test_the_server_runs_what_it_was_switched_to(store):
    make_version(store.path, "pnet", 2)
    assert running(store, [FakeControl(store)]) == {"pnet": 2, "rnet": 1, "onet": 1}
    # Exported, and not live: the server was told of version 1.
    assert running(store, [FakeControl(store, pinned={"pnet": 1})]) == {"pnet": 1, "rnet": 1, "onet": 1}


def test_what_the_server_runs_stays_whatever_was_exported_since(store):
    make_version(store.path, "pnet", 2)
    control = FakeControl(store, pinned={"pnet": 1, "rnet": 1, "onet": 1})
    with store.staging() as staging:
        make_version(staging, "pnet", 3)
        members = [Member(control, lambda: None)]
        assert switch(store, members, staging, {"pnet": Deployment("t", 1)})["pnet"] == 3
    assert control.calls[0] == ("load", "pnet", 1, 3)


def test_the_repository_of_another_server(store):
    with pytest.raises(DeployError, match=r"runs version 7 of rnet, which .* does not have"):
        running(store, [FakeControl(store, pinned={"rnet": 7})])


def test_a_renewal_with_the_networks_before_is_noticed_and_nothing_is_half_switched(store):
    """The supervisor renewed a process with the configuration that it had read before the switch."""
    control = FakeControl(store)

    def renewed_meanwhile():
        control.answers_with = {}

    with pytest.raises(SwitchFailed, match="was renewed with the networks before; nothing was changed"):
        deploy(store, control, renewed_meanwhile)
    assert store.live() == {"pnet": 1, "rnet": 1, "onet": 1}
    assert control.answers_with == {"pnet": 1, "rnet": 1, "onet": 1}


OLD, NEW = {"pnet": 1, "rnet": 1, "onet": 1}, {"pnet": 2, "rnet": 1, "onet": 1}


def fleet(store, *fails):
    """Servers a, b, c… with the calls that fail of each."""
    return [FakeControl(store, each, url=name) for name, each in zip("abcdef", fails, strict=False)]


def deploy_to(store, controls, newcomers=tuple, checks=()):
    """What was told. checks: by server; others are content."""
    told = []
    members = [Member(control, dict(checks).get(control.url, lambda: None)) for control in controls]
    with store.staging() as staging:
        make_version(staging, "pnet", 2)
        switch(store, members, staging, {"pnet": Deployment("t", 1)}, newcomers, told.append)
    return told


def test_all_servers_have_the_new_networks_before_the_first_switches(store):
    controls = fleet(store, (), (), ())
    order = []
    for control in controls:
        control.calls = order
    told = deploy_to(store, controls)
    assert order == [("load", "pnet", 1, 2)] * 3 + [("switch", NEW)] * 3
    assert told == [f"the server at {name} answers with pnet=2 rnet=1 onet=1" for name in "abc"]


@pytest.mark.parametrize("call", [0, 1])
def test_one_that_fails_takes_all_back(store, call):
    before = content(store.path)
    controls = fleet(store, (), (), {call})
    with pytest.raises(SwitchFailed, match=f"^call {call} refused; nothing was changed$"):
        deploy_to(store, controls)
    assert content(store.path) == before
    assert all(control.answers_with in ({}, OLD) for control in controls)
    assert all(control.calls[-1] == ("load", "pnet", 1) for control in controls)


def test_one_that_answers_otherwise_takes_all_back_and_the_others_are_never_switched(store):
    controls = fleet(store, (), (), ())

    def differs():
        raise DeployError("the server at b answers otherwise")

    with pytest.raises(SwitchFailed, match=r"^the server at b answers otherwise; nothing was changed$"):
        deploy_to(store, controls, checks={"b": differs})
    assert [control.answers_with for control in controls] == [OLD, OLD, {}]
    assert store.live() == OLD


def test_one_that_cannot_be_taken_back_is_named_and_the_others_are(store):
    controls = fleet(store, (), {1, 2}, ())
    with pytest.raises(SwitchFailed, match=r"^call 1 refused; .* but the server at b must be started again: call 2"):
        deploy_to(store, controls)
    assert [control.answers_with for control in controls] == [OLD, {}, {}]
    assert [controls[0].calls[-1], controls[2].calls[-1]] == [("load", "pnet", 1)] * 2, (
        "the candidate is nowhere loaded"
    )
    assert store.live() == OLD


def test_those_that_have_come_and_cannot_be_asked_are_told_of(store):
    answers = iter([[], ControlError("no server answers at late")])

    def newcomers():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    controls = fleet(store, (), {1})
    with pytest.raises(SwitchFailed, match=r"; nothing was changed; servers that have come since must .*: no s"):
        deploy_to(store, controls, newcomers)
    assert [control.answers_with for control in controls] == [OLD, OLD]
    assert store.live() == OLD


def test_those_that_come_meanwhile_are_switched_too(store):
    controls, late = fleet(store, (), ()), FakeControl(store, url="late")
    coming = [[], [Member(late, lambda: None)], []]
    assert deploy_to(store, controls, lambda: coming.pop(0))[-1].startswith("the server at late answers with pnet=2")
    assert late.calls == [("load", "pnet", 1, 2), ("switch", NEW)]
    assert not coming


def test_those_that_come_before_all_is_taken_back_are_taken_back(store):
    """They may have started with the candidates, which were the highest."""
    controls, late = fleet(store, (), {1}), FakeControl(store, url="late")
    coming = [[], [Member(late, lambda: None)]]
    with pytest.raises(SwitchFailed, match="nothing was changed"):
        deploy_to(store, controls, lambda: coming.pop(0))
    assert late.answers_with == OLD


def test_servers_that_run_different_networks(store):
    make_version(store.path, "pnet", 2)
    controls = fleet(store, (), ())
    assert running(store, controls) == NEW
    controls[0].answers_with = OLD
    with pytest.raises(
        DeployError, match="different networks: a runs pnet=1 rnet=1 onet=1; b runs pnet=2 rnet=1 onet=1"
    ):
        running(store, controls)


@pytest.mark.parametrize("text", ["pnet", "pnet=one rnet=1", "="])
def test_versions_that_are_none_are_told(monkeypatch, text):
    config = {"parameters": {PARAMETER: {"string_value": text}}}
    monkeypatch.setattr(Control, "_config", lambda _self, _model: config)
    with Control("127.0.0.1:1", "key") as control, pytest.raises(ControlError, match=PARAMETER):
        control.switched_to()
