"""Which models a model repository has, and what is missing in one."""

import json

import pytest

from face_cascade.networks import NETWORKS
from face_repository import versions
from face_repository.layout import IDENTIFICATION, OPTIONAL, REQUIRED, Repository, RepositoryError


def model(repository, name, file="model.py"):
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "config.pbtxt").touch()
    (repository / name / "1" / file).touch()


@pytest.fixture
def repository(tmp_path):
    for name in ("pnet", "rnet", "onet"):
        model(tmp_path, name, "model.pt")
    for name in ("mtcnn", "face_embeddings"):
        model(tmp_path, name)
    (tmp_path / "face_recognition" / "1").mkdir(parents=True)
    (tmp_path / "face_recognition" / "config.pbtxt").write_text('platform: "ensemble"')
    return tmp_path


def test_recognition_is_served_without_facenet_to_say_what_is_missing(repository):
    found = Repository.read(repository)
    assert found.loadable == ("pnet", "rnet", "onet", "mtcnn", "face_embeddings", "face_recognition")
    assert found.missing == ("facenet",)


def test_everything_is_served_where_facenet_was_exported(repository):
    model(repository, "facenet", "model.pt")
    found = Repository.read(repository)
    assert found.loadable[-2:] == ("face_recognition", "facenet")
    assert found.missing == ()


def test_people_are_named_where_there_is_a_gallery(repository):
    with pytest.raises(RepositoryError, match=r"it has no face_names/config\.pbtxt"):
        Repository.read(repository, gallery=True)
    model(repository, "face_names")
    (repository / "face_identification" / "1").mkdir(parents=True)
    (repository / "face_identification" / "config.pbtxt").write_text('platform: "ensemble"')
    assert Repository.read(repository, gallery=True).loadable == (*REQUIRED, *IDENTIFICATION)
    assert Repository.read(repository).loadable == REQUIRED
    assert Repository.read(repository, ("pnet",), gallery=True).loadable == ("pnet",), "who says which, gets those"


def test_a_facenet_of_an_earlier_version_is_refused(repository):
    model(repository, "facenet", "model.pt")
    record = repository / "facenet" / "1" / "export.json"
    record.write_text('{"random": true}')
    assert "facenet" in Repository.read(repository).loadable
    record.write_text('{"note": ""}')
    with pytest.raises(RepositoryError, match=r"facenet/1/model\.pt was exported by an earlier version: run `faces ex"):
        Repository.read(repository)
    assert Repository.read(repository, ("pnet",)).loadable == ("pnet",)


def test_an_ensemble_needs_a_version_and_no_file(repository):
    (repository / "face_recognition" / "1").rmdir()
    with pytest.raises(RepositoryError, match="has no face_recognition: run `faces export` first"):
        Repository.read(repository)


def test_what_the_export_says_of_a_model_is_passed_on(repository):
    (repository / "pnet" / "1" / "export.json").write_text('{"note": "random weights, for load tests only"}')
    (repository / "rnet" / "1" / "export.json").write_text('{"note": ""}')
    (repository / "onet" / "1" / "export.json").write_text("{}")
    assert Repository.read(repository).notes == ("pnet: random weights, for load tests only",)


@pytest.mark.parametrize("damaged", ["", "{", "[]", "null", '"note"'])
def test_a_damaged_record_of_an_export_is_told_and_stops_nothing(repository, damaged):
    record = repository / "pnet" / "1" / "export.json"
    record.write_text(damaged)
    assert Repository.read(repository).notes == (f"pnet: {record} is damaged, so whatever it said is lost",)


def test_what_is_missing_is_named(repository):
    (repository / "pnet" / "1" / "model.pt").unlink()
    with pytest.raises(RepositoryError, match="has no pnet: run `faces export` first"):
        Repository.read(repository)
    (repository / "mtcnn" / "config.pbtxt").unlink()
    with pytest.raises(RepositoryError, match=r"is no model repository of ours: it has no mtcnn/config\.pbtxt"):
        Repository.read(repository)
    with pytest.raises(RepositoryError, match="does not exist"):
        Repository.read(repository / "nowhere")


def test_a_server_that_starts_takes_the_highest_version_and_tells_its_notes_only(tmp_path):
    for number in ("1", "2"):
        version = tmp_path / "pnet" / number
        version.mkdir(parents=True)
        (version / "model.pt").write_bytes(b"")
        (version / "export.json").write_text(json.dumps({"note": f"note {number}"}))
    (tmp_path / "pnet" / "config.pbtxt").write_text("")
    assert Repository.read(tmp_path, ("pnet",)).live == {"pnet": 2}


def test_the_networks_are_those_of_the_cascade():
    assert versions.NETWORKS == ("pnet", "rnet", "onet")
    assert {*versions.NETWORKS, *OPTIONAL} == NETWORKS.keys()
    assert REQUIRED[:3] == versions.NETWORKS
