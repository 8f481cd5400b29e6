"""What tritonserver is called with: its flags, and the variables of its environment."""

from pathlib import Path

import pytest

from face_repository.layout import Repository
from face_runtime.settings import LOG_FORMAT_VARIABLE, NETWORKS_VARIABLE, TRACE_VARIABLE
from face_server import Settings, SetupError
from face_server.invocation import MALLOC, arguments, environment
from face_server.settings import ADMIN_KEY_VARIABLE
from face_server.wheel import TritonWheel, libpython_directories


def flags(settings):
    repository = Repository(Path("/models"), ("mtcnn",), ())
    return arguments(settings, (0, 1, 2), repository, Path("/backends"), TritonWheel(Path("/wheel")), "key")


def test_triton_traces_only_where_asked():
    assert not [flag for flag in flags(Settings()) if "trace-config" in flag]
    traced = [flag for flag in flags(Settings(trace="http://c:1", trace_rate=7)) if "trace-config" in flag]
    assert "--trace-config=mode=opentelemetry" in traced
    assert "--trace-config=rate=7" in traced
    assert "--trace-config=opentelemetry,url=http://c:1/v1/traces" in traced


def test_the_trace_protocol_stays_shut_with_tracing_on():
    restricted = [flag for flag in flags(Settings(trace="http://c:1")) if "restricted" in flag]
    assert len(restricted) == 2
    assert all("trace," in flag and flag.endswith("admin-key=key") for flag in restricted)


def test_the_environment_keeps_what_the_caller_set():
    wheel = TritonWheel.find()
    base = {"MALLOC_ARENA_MAX": "7", "LD_LIBRARY_PATH": "/mine", "PATH": "/bin", "OMP_WAIT_POLICY": "active"}
    made = environment(Settings(), wheel, base, {})
    assert made["MALLOC_ARENA_MAX"] == "7"
    assert made["MALLOC_TRIM_THRESHOLD_"] == MALLOC["MALLOC_TRIM_THRESHOLD_"]
    assert made["OMP_WAIT_POLICY"] == "active"
    assert made["LD_LIBRARY_PATH"].split(":")[-2:] == [str(wheel.libraries), "/mine"]
    assert made["PATH"].endswith(":/bin")
    assert environment(Settings(), wheel, {}, {})["OMP_WAIT_POLICY"] == "passive"


def test_what_the_settings_say_wins():
    theirs = {
        "OMP_NUM_THREADS": "8",
        NETWORKS_VARIABLE: "auto",
        LOG_FORMAT_VARIABLE: "text",
        TRACE_VARIABLE: "http://c:1/v1/traces",
    }
    untold = environment(Settings(), TritonWheel.find(), theirs, {})
    assert theirs.items() <= untold.items()
    settings = Settings(threads=3, networks="bls", log_format="json", trace="http://d:2")
    assert (
        environment(settings, TritonWheel.find(), theirs, {"pnet": 2, "rnet": 1}).items()
        >= {
            "OMP_NUM_THREADS": "3",
            NETWORKS_VARIABLE: "bls",
            LOG_FORMAT_VARIABLE: "json",
            TRACE_VARIABLE: "http://d:2/v1/traces",
            "TRITON_FACES_NETWORK_VERSIONS": "pnet=2 rnet=1",
        }.items()
    )


def test_the_models_do_not_see_the_key():
    made = environment(Settings(), TritonWheel.find(), {ADMIN_KEY_VARIABLE: "secret"}, {})
    assert "secret" not in made.values()


def test_a_machine_without_libpython_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("sysconfig.get_config_var", lambda _name: "/nowhere")
    monkeypatch.setattr("face_server.wheel._loads", lambda _name: False)
    with pytest.raises(SetupError, match=r"needs libpython3\.\d+\.so\.1\.0, .* install the package libpython3"):
        libpython_directories()
