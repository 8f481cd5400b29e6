"""What may be chosen for a server and for its supervision, and the words for what may not."""

import math
from dataclasses import replace

import pytest

from face_repository import configurations
from face_runtime.settings import GALLERY_VARIABLE, LOG_FORMAT_VARIABLE
from face_server import Settings
from face_server.settings import CHOICES
from face_server.supervision.watch import Patience


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
        (None, None),
    ],
)
def test_the_usual_path_is_added_where_there_is_none(given, endpoint):
    assert Settings(trace=given).trace_endpoint == endpoint


def test_the_log_format_comes_from_the_setting_or_the_environment(monkeypatch):
    monkeypatch.delenv(LOG_FORMAT_VARIABLE, raising=False)
    assert not Settings().writes_json
    assert Settings(log_format="json").writes_json
    monkeypatch.setenv(LOG_FORMAT_VARIABLE, "json")
    assert Settings().writes_json
    assert not Settings(log_format="text").writes_json


def test_a_gallery_is_named_by_the_setting_or_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv(GALLERY_VARIABLE, raising=False)
    assert Settings().gallery_address is None
    monkeypatch.setenv(GALLERY_VARIABLE, "")
    assert not Settings().gallery_address
    monkeypatch.setenv(GALLERY_VARIABLE, "postgresql://u:secret@h/db")
    assert Settings().gallery_address == "postgresql://u:secret@h/db"
    monkeypatch.chdir(tmp_path)
    assert Settings(gallery="people.gallery").gallery_address == str(tmp_path / "people.gallery")


PORT = "a whole number from 0 to 65535"
START = "above 0 and at most 86400 seconds"


@pytest.mark.parametrize(
    ("name", "wrong", "must_be"),
    [
        ("http_port", -1, PORT),
        ("grpc_port", 65536, PORT),
        ("metrics_port", 8002.5, PORT),
        ("metrics_port", None, PORT),
        ("threads", 0, "a whole number from 1 to 1024"),
        ("verbose", math.nan, "a whole number from 0 to 9"),
        ("trace_rate", math.inf, "a whole number from 1 to 1000000"),
        # A start that never ends, one that has ended before it begins, and one that nobody waits for.
        ("start_timeout", math.nan, START),
        ("start_timeout", math.inf, START),
        ("start_timeout", 0, START),
        ("start_timeout", -1, START),
        ("networks", "gpu", "one of auto, bls, local"),
        ("log_format", "xml", "one of text, json"),
        ("configuration", "fast", "one of embedded, embedded_gpu, bounded, tuned"),
        ("trace", "collector:4318", "http://HOST:PORT"),
    ],
)
def test_what_a_server_cannot_be_told(name, wrong, must_be):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 all of its words are compared
        Settings(**{name: wrong})
    assert str(refused.value) == f"{name} is {wrong!r}, must be {must_be}"
    with pytest.raises(ValueError, match=name):
        replace(Settings(), **{name: wrong})


def test_configurations_have_the_names_that_are_derived():
    assert set(CHOICES["configuration"]) == {*configurations.CONFIGURATIONS, configurations.TUNED}


def test_a_bounded_queue_is_a_configuration_of_its_own():
    Settings(bounded_queue=True, configuration="bounded")
    with pytest.raises(ValueError, match=r"^configuration is 'tuned', must be left out, or bounded, together with"):
        Settings(bounded_queue=True, configuration="tuned")


def test_the_ends_of_what_a_server_can_be_told():
    Settings(http_port=65535, threads=1, verbose=9, trace_rate=1_000_000, start_timeout=86400, networks="local")
    Settings(http_port=0, threads=1024, start_timeout=0.2, log_format="text", trace="https://c/otlp")


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1, 86401])
@pytest.mark.parametrize("name", ["period", "deadline", "silence"])
def test_a_patience_that_never_ends_or_never_begins(name, wrong):
    with pytest.raises(ValueError, match=rf"^{name} is {wrong}, must be from 0 to 86400 seconds$"):
        Patience(**{name: wrong})


@pytest.mark.parametrize("wrong", [0, 1.5, math.nan])
def test_failures_are_counted(wrong):
    with pytest.raises(ValueError, match=rf"^failures is {wrong}, must be a whole number of at least 1$"):
        Patience(failures=wrong)


def test_two_listeners_on_one_port_are_refused():
    with pytest.raises(ValueError, match=r"^grpc_port is 8001, must be another port than http_port$"):
        Settings(http_port=8001, grpc_port=8001, metrics_port=8002)
    assert Settings(http_port=0, grpc_port=0, metrics_port=0).metrics_port == 0
