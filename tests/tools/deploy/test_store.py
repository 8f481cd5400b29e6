"""Versions come and go as the command says, and nothing else changes."""

import json
import re

import pytest

from face_admin.deploy.command import version_rows
from face_admin.deploy.errors import DeployError
from face_admin.deploy.store import Deployment, Store
from tests.tools.deploy.repositories import content, make_repository, make_version


@pytest.fixture
def store(tmp_path):
    return Store(make_repository(tmp_path))


def deploy(store, time, *networks):
    """Deploys new versions of networks, as the command does."""
    before = store.live()
    with store.staging() as staging:
        for network in networks:
            make_version(staging, network, store.next_number(network))
        return store.add(staging, {network: Deployment(time, before[network]) for network in networks})


def roll_back(store, time):
    before, back = store.live(), store.way_back()
    with store.staging() as staging:
        store.copy(staging, back)
        return store.add(staging, {n: Deployment(time, before[n], copy_of=old) for n, old in back.items()})


def test_a_candidate_becomes_the_next_version_and_leaves_no_trace_elsewhere(store):
    before = content(store.path)
    assert deploy(store, "t1", "rnet") == {"rnet": 2}
    assert store.live() == {"pnet": 1, "rnet": 2, "onet": 1}
    after = content(store.path)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {f"rnet/2/{name}" for name in ("model.pt", "export.json", "deployment.json")}
    assert store.file("rnet", 2).read_text() == "rnet as of 2"


def test_a_candidate_that_is_not_added_is_gone(store):
    before = content(store.path)
    with store.staging() as staging:
        make_version(staging, "pnet", 2)
        assert store.live() == {"pnet": 1, "rnet": 1, "onet": 1}
    assert content(store.path) == before
    assert not list(store.path.glob(".*"))


def test_all_networks_are_added_or_none(store):
    before = content(store.path)
    with store.staging() as staging:
        make_version(staging, "pnet", 2)
        # No candidate of rnet.
        with pytest.raises(DeployError, match="cannot write to the model repository"):
            store.add(staging, {"pnet": Deployment("t", 1), "rnet": Deployment("t", 1)})
    assert content(store.path) == before


def test_a_rollback_brings_back_what_the_last_deployment_replaced(store):
    (store.path / "rnet" / "1" / ".gitkeep").touch()
    deploy(store, "t1", "pnet")
    deploy(store, "t2", "rnet", "onet")
    assert roll_back(store, "t3") == {"rnet": 3, "onet": 3}
    # What a checkout keeps in the folder is no part of the version, and git would see a file in a new one.
    written = sorted(path.name for path in (store.path / "rnet" / "3").iterdir())
    assert written == ["deployment.json", "export.json", "model.pt"]
    assert store.live() == {"pnet": 2, "rnet": 3, "onet": 3}
    assert store.file("onet", 3).read_bytes() == store.file("onet", 1).read_bytes()
    # The rollback was the last one: this undoes it.
    assert roll_back(store, "t4") == {"rnet": 4, "onet": 4}
    assert store.file("onet", 4).read_bytes() == store.file("onet", 2).read_bytes()


def test_nothing_to_roll_back(store):
    with pytest.raises(DeployError, match="nothing to roll back"):
        store.way_back()


def test_what_was_live_before_is_gone(store):
    deploy(store, "t1", "pnet")
    store.remove({"pnet": 1})
    with pytest.raises(DeployError, match="version 1 of pnet, which was live before, is gone"):
        store.way_back()


def test_a_repository_without_networks(tmp_path):
    with pytest.raises(DeployError, match="has no pnet, rnet, onet: run `faces export` first"):
        Store(tmp_path)


def test_the_list_tells_how_each_version_came(store):
    deploy(store, "2026-11-22T10:00:00.5", "pnet")
    roll_back(store, "2026-11-22T11:00:00.5")
    rows = [row[:4] for row in version_rows(store) if row[0] == "pnet"]
    assert rows == [
        ("pnet", "1", "", "exported"),
        ("pnet", "2", "", "deployed, 2026-11-22T10:00:00Z"),
        ("pnet", "3", "live", "rollback to 1, 2026-11-22T11:00:00Z"),
    ]
    assert [row[4:] for row in version_rows(store) if row[0] == "rnet"] == [("source 1", "1" * 12)]


RECORD = {"time": "2026-11-22T10:00:00", "replaced": 1, "copy_of": None}


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("{", "is damaged: "),
        (json.dumps(RECORD)[:-9], "is damaged: "),
        ("\xff", "is damaged: "),
        ("[1]", "is damaged: it holds no JSON object"),
        *((json.dumps({k: v for k, v in RECORD.items() if k != key}), f"it has no '{key}'") for key in RECORD),
        (json.dumps({**RECORD, "time": 5}), "its 'time' is 5"),
        (json.dumps({**RECORD, "replaced": "1"}), "its 'replaced' is \"1\""),
        (json.dumps({**RECORD, "replaced": True}), "its 'replaced' is true"),
        (json.dumps({**RECORD, "copy_of": 1.5}), "its 'copy_of' is 1.5"),
    ],
)
def test_a_damaged_record_is_named_with_its_key(store, record, words):
    (store.path / "pnet" / "1" / "deployment.json").write_text(record, encoding="latin-1")
    for read in (lambda: version_rows(store), store.way_back):
        with pytest.raises(DeployError, match=re.escape(words)) as raised:
            read()
        assert "pnet/1/deployment.json" in str(raised.value)


def test_a_damaged_export_record(store):
    (store.path / "pnet" / "1" / "export.json").write_text("[]")
    with pytest.raises(DeployError, match=r"pnet/1/export\.json is damaged: it holds no JSON object"):
        version_rows(store)
