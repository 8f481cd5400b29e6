"""Which version is live."""

import pytest

from face_repository.versions import NETWORKS, VARIABLE, from_text, in_use, latest, numbers, to_text


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
