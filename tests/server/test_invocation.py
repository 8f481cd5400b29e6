"""What tritonserver is called with: its flags, and the variables of its environment."""

import importlib.util
from pathlib import Path

import pytest

from face_client.wire import connection_arguments
from face_repository.layout import Repository
from face_repository.tuned import Tuned
from face_runtime.settings import (
    GALLERY_VARIABLE,
    LOG_FORMAT_VARIABLE,
    NETWORKS_VARIABLE,
    RANDOM_WEIGHTS_VARIABLE,
    TRACE_VARIABLE,
)
from face_server import EmbeddedTriton, Settings, SetupError
from face_server.gpu import gpu_count
from face_server.invocation import MALLOC, arguments, environment
from face_server.settings import ADMIN_KEY_VARIABLE
from face_server.wheel import TritonWheel, libpython_directories

BIN = Path("/environment/bin")


def flags(settings):
    repository = Repository(Path("/models"), ("mtcnn",), ())
    return arguments(settings, (0, 1, 2), repository, Path("/backends"), TritonWheel(Path("/wheel")), "key")


@pytest.mark.parametrize(
    ("settings", "gpus", "name"),
    [
        (Settings(), 0, "embedded"),
        (Settings(), 2, "embedded_gpu"),
        (Settings(bounded_queue=True), 1, "bounded"),
        (Settings(configuration="tuned"), 1, "tuned"),
        (Settings(configuration="embedded"), 1, "embedded"),
    ],
)
def test_the_configuration_is_the_one_asked_for_or_that_of_the_machine(settings, gpus, name, monkeypatch):
    monkeypatch.setattr("face_server.invocation.gpu_count", lambda: gpus)
    assert f"--model-config-name={name}" in flags(settings)


@pytest.mark.parametrize(
    ("tuned", "gpus", "sentence"),
    [
        (None, 0, "there is no configuration `tuned` yet: run `make tune` first"),
        (Tuned(1, 1, 0, gpu=True), 0, "was measured on a GPU, and here is none: run `make tune` again"),
        (Tuned(1, 1, 0, gpu=False), 1, "was measured on a CPU, and here is a GPU: run `make tune` again"),
    ],
)
def test_a_server_is_not_started_tuned_where_it_was_not(tuned, gpus, sentence, tmp_path, monkeypatch):
    repository = Repository(tmp_path, ("mtcnn",), ())
    monkeypatch.setattr("face_server.launcher.Repository.read", lambda *_: repository)
    monkeypatch.setattr("face_server.launcher.gpu_count", lambda: gpus)
    monkeypatch.setattr("face_server.launcher.refresh", lambda *_: None)
    if tuned is not None:
        tuned.write(tmp_path)
    with pytest.raises(SetupError, match=sentence):
        EmbeddedTriton(tmp_path, Settings(configuration="tuned")).start()


def test_clients_may_ping_as_often_as_ours_do():
    """Else their connection ends in the middle of a long call."""
    asked = next(value for name, value in connection_arguments("a:1", None)["channel_args"] if "keepalive_time" in name)
    flag = "--grpc-http2-min-recv-ping-interval-without-data="
    (allowed,) = (int(word.removeprefix(flag)) for word in flags(Settings()) if word.startswith(flag))
    assert allowed < asked


def test_triton_traces_only_where_asked():
    assert not [flag for flag in flags(Settings()) if "trace-config" in flag]
    traced = [flag for flag in flags(Settings(trace="http://c:1", trace_rate=7)) if "trace-config" in flag]
    assert "--trace-config=mode=opentelemetry" in traced
    assert "--trace-config=rate=7" in traced
    assert "--trace-config=opentelemetry,url=http://c:1/v1/traces" in traced


@pytest.mark.parametrize(
    ("settings", "gpus", "name"),
    [
        (Settings(), 0, "embedded"),
        (Settings(), 2, "embedded_gpu"),
        (Settings(bounded_queue=True), 0, "bounded"),
        (Settings(bounded_queue=True), 1, "bounded"),
    ],
)
def test_models_are_configured_for_the_machine(monkeypatch, settings, gpus, name):
    monkeypatch.setattr("face_server.invocation.gpu_count", lambda: gpus)
    assert f"--model-config-name={name}" in flags(settings)


class Driver:
    """libcuda: fails to start, or counts GPUs."""

    def __init__(self, status, count):
        self.cuInit = lambda flags: status + flags
        self._count = count

    def cuDeviceGetCount(self, address):  # noqa: N802
        address._obj.value = self._count
        return 0


@pytest.mark.parametrize(("status", "count", "found"), [(0, 3, 3), (0, 0, 0), (100, 3, 0)])
def test_gpus_are_those_that_the_driver_counts(monkeypatch, status, count, found):
    monkeypatch.setattr("ctypes.CDLL", lambda _: Driver(status, count))
    assert gpu_count() == found


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    assert gpu_count() == 0


def test_the_trace_protocol_stays_shut_with_tracing_on():
    restricted = [flag for flag in flags(Settings(trace="http://c:1")) if "restricted" in flag]
    assert len(restricted) == 2
    assert all("trace," in flag and flag.endswith("admin-key=key") for flag in restricted)


def test_the_environment_keeps_what_the_caller_set():
    wheel = TritonWheel.find()
    base = {"MALLOC_ARENA_MAX": "7", "LD_LIBRARY_PATH": "/mine", "PATH": "/bin", "OMP_WAIT_POLICY": "active"}
    made = environment(Settings(), wheel, base, {}, BIN)
    assert made["MALLOC_ARENA_MAX"] == "7"
    assert made["MALLOC_TRIM_THRESHOLD_"] == MALLOC["MALLOC_TRIM_THRESHOLD_"]
    assert made["OMP_WAIT_POLICY"] == "active"
    assert made["LD_LIBRARY_PATH"].split(":")[-2:] == [str(wheel.libraries), "/mine"]
    assert made["PATH"] == f"{BIN}:/bin"
    assert environment(Settings(), wheel, {}, {}, BIN)["OMP_WAIT_POLICY"] == "passive"


def test_what_the_settings_say_wins():
    theirs = {
        "OMP_NUM_THREADS": "8",
        NETWORKS_VARIABLE: "auto",
        LOG_FORMAT_VARIABLE: "text",
        TRACE_VARIABLE: "http://c:1/v1/traces",
    }
    untold = environment(Settings(), TritonWheel.find(), theirs, {}, BIN)
    assert theirs.items() <= untold.items()
    settings = Settings(threads=3, networks="bls", log_format="json", trace="http://d:2")
    assert (
        environment(settings, TritonWheel.find(), theirs, {"pnet": 2, "rnet": 1}, BIN).items()
        >= {
            "OMP_NUM_THREADS": "3",
            NETWORKS_VARIABLE: "bls",
            LOG_FORMAT_VARIABLE: "json",
            TRACE_VARIABLE: "http://d:2/v1/traces",
            "TRITON_FACES_NETWORK_VERSIONS": "pnet=2 rnet=1",
        }.items()
    )


def test_the_models_do_not_see_the_key():
    made = environment(Settings(), TritonWheel.find(), {ADMIN_KEY_VARIABLE: "secret"}, {}, BIN)
    assert "secret" not in made.values()


def test_the_way_to_a_gallery_is_told_in_the_environment_alone():
    address = "postgresql://u:secret@h/db"
    settings = Settings(gallery=address, random_weights=True)
    made = environment(settings, TritonWheel.find(), {}, {}, BIN)
    assert (made[GALLERY_VARIABLE], made[RANDOM_WEIGHTS_VARIABLE]) == (address, "1")
    assert not [flag for flag in flags(settings) if "secret" in flag]
    plain = environment(Settings(), TritonWheel.find(), {}, {}, BIN)
    assert not {GALLERY_VARIABLE, RANDOM_WEIGHTS_VARIABLE} & plain.keys()


def test_a_gallery_without_its_package_is_told_what_to_install(monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "face_gallery" else find(name))
    with pytest.raises(SetupError, match="a gallery needs face_gallery: "):
        EmbeddedTriton(tmp_path, Settings(gallery="people.gallery")).start()


def test_a_machine_without_libpython_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("face_server.interpreter.library", lambda: "libpython3.99.so.1.0")
    with pytest.raises(SetupError, match=r"lacks libpython3\.99\.so\.1\.0: install the package libpython3"):
        libpython_directories()
