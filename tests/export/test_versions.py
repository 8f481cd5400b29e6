"""Which version is live."""

import json

import pytest

from face_repository.layout import Repository
from face_repository.versions import NETWORKS, VARIABLE, from_text, in_use, latest, numbers, to_text
from face_server.environment import ADMIN_KEY_VARIABLE, server_environment
from face_server.wheel import TritonWheel


def test_versions_are_numbers_and_the_highest_is_live(tmp_path):
    for name in ("1", "2", "10", "03", "next", "configs", "-1", "²"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").write_text("a file")
    assert numbers(tmp_path) == [1, 2, 10]
    assert latest(tmp_path) == 10


def test_a_model_without_a_version(tmp_path):
    assert numbers(tmp_path) == numbers(tmp_path / "absent") == []
    with pytest.raises(FileNotFoundError):
        latest(tmp_path)


def test_a_process_takes_what_its_server_runs_not_what_was_exported_since(tmp_path):
    for network in NETWORKS:
        (tmp_path / network / "4").mkdir(parents=True)
    started = {VARIABLE: "pnet=3 rnet=2 onet=1"}
    assert in_use("", started, tmp_path) == {"pnet": 3, "rnet": 2, "onet": 1}
    assert in_use("pnet=5 rnet=2 onet=1", started, tmp_path) == {"pnet": 5, "rnet": 2, "onet": 1}
    assert in_use("", {}, tmp_path) == {"pnet": 4, "rnet": 4, "onet": 4}


@pytest.mark.parametrize("versions", [{}, {"pnet": 1}, {"pnet": 12, "rnet": 1, "onet": 3}])
def test_as_text_and_back(versions):
    assert from_text(to_text(versions)) == versions


def test_a_server_that_starts_takes_the_highest_and_tells_its_notes_only(tmp_path):
    for number in ("1", "2"):
        version = tmp_path / "pnet" / number
        version.mkdir(parents=True)
        (version / "model.pt").write_bytes(b"")
        (version / "export.json").write_text(json.dumps({"note": f"note {number}"}))
    (tmp_path / "pnet" / "config.pbtxt").write_text("")
    assert Repository.read(tmp_path, ("pnet",)).live == {"pnet": 2}


def test_the_models_do_not_see_the_key():
    environment = server_environment(TritonWheel.find(), {ADMIN_KEY_VARIABLE: "secret"}, None, None)
    assert "secret" not in environment.values()
