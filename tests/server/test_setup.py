"""What the launcher needs to find, and its words where it does not."""

import socket

import pytest

from face_runtime.settings import NETWORKS_VARIABLE
from face_server.environment import ADMIN_KEY_VARIABLE, MALLOC, server_environment
from face_server.errors import SetupError
from face_server.ports import free_ports, ipv4_address
from face_server.wheel import TritonWheel, libpython_directories


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


def test_the_models_do_not_see_the_key():
    environment = server_environment(TritonWheel.find(), {ADMIN_KEY_VARIABLE: "secret"}, None, None)
    assert "secret" not in environment.values()


def test_a_machine_without_libpython_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: "/nowhere")
    monkeypatch.setattr("face_server.wheel._loads", lambda _name: False)
    with pytest.raises(SetupError, match=r"needs libpython3\.\d+\.so\.1\.0, .* install the package libpython3"):
        libpython_directories()


def test_hosts_become_addresses():
    assert ipv4_address("127.0.0.1") == ipv4_address("localhost") == "127.0.0.1"
    with pytest.raises(SetupError, match="host is '::1', must be an IPv4 address"):
        ipv4_address("::1")
