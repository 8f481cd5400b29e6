"""What the launcher needs to find, and its words where it does not."""

import socket

import pytest

from face_repository.layout import Repository, RepositoryError
from face_runtime.settings import NETWORKS_VARIABLE
from face_server.environment import MALLOC, server_environment
from face_server.errors import SetupError
from face_server.ports import free_ports, ipv4_address
from face_server.wheel import TritonWheel, libpython_directories


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


def test_an_ensemble_needs_a_version_and_no_file(repository):
    (repository / "face_recognition" / "1").rmdir()
    with pytest.raises(RepositoryError, match="has no face_recognition: run `faces export` first"):
        Repository.read(repository)


def test_what_the_export_says_of_a_model_is_passed_on(repository):
    (repository / "pnet" / "1" / "export.json").write_text('{"note": "random weights, for load tests only"}')
    (repository / "rnet" / "1" / "export.json").write_text('{"note": ""}')
    assert Repository.read(repository).notes == ("pnet: random weights, for load tests only",)


def test_what_is_missing_is_named(repository):
    (repository / "pnet" / "1" / "model.pt").unlink()
    with pytest.raises(RepositoryError, match="has no pnet: run `faces export` first"):
        Repository.read(repository)
    (repository / "mtcnn" / "config.pbtxt").unlink()
    with pytest.raises(RepositoryError, match=r"is no model repository of ours: it has no mtcnn/config\.pbtxt"):
        Repository.read(repository)
    with pytest.raises(RepositoryError, match="does not exist"):
        Repository.read(repository / "nowhere")


def test_ports_are_free_and_different():
    ports = free_ports(("127.0.0.1",) * 3, (0, 0, 0))
    assert len(set(ports)) == 3
    with socket.create_server(("127.0.0.1", ports[0])), pytest.raises(SetupError, match=f"127.0.0.1:{ports[0]}"):
        free_ports(("127.0.0.1",) * 3, ports)


def test_the_environment_keeps_what_the_caller_set():
    wheel = TritonWheel.find()
    base = {"MALLOC_ARENA_MAX": "7", "LD_LIBRARY_PATH": "/mine", "PATH": "/bin"}
    environment = server_environment(wheel, base, threads=3, networks="bls")
    assert environment["MALLOC_ARENA_MAX"] == "7"
    assert environment["MALLOC_TRIM_THRESHOLD_"] == MALLOC["MALLOC_TRIM_THRESHOLD_"]
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["OMP_WAIT_POLICY"] == "passive"
    assert environment[NETWORKS_VARIABLE] == "bls"
    assert environment["LD_LIBRARY_PATH"].split(":")[-2:] == [str(wheel.libraries), "/mine"]
    assert environment["PATH"].endswith(":/bin")


def test_a_machine_without_libpython_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: "/nowhere")
    monkeypatch.setattr("face_server.wheel._loads", lambda _name: False)
    with pytest.raises(SetupError, match=r"needs libpython3\.\d+\.so\.1\.0, .* install the package libpython3"):
        libpython_directories()


def test_hosts_become_addresses():
    assert ipv4_address("127.0.0.1") == ipv4_address("localhost") == "127.0.0.1"
    with pytest.raises(SetupError, match="host is '::1', must be an IPv4 address"):
        ipv4_address("::1")
