"""Settings of traces and log formats: flags of Triton, variables for our models, arguments of `faces serve`."""

import argparse
from pathlib import Path

import pytest

from face_repository.layout import Repository
from face_runtime.settings import LOG_FORMAT_VARIABLE, TRACE_VARIABLE
from face_server import Settings, command
from face_server.settings import arguments
from face_server.wheel import TritonWheel


def flags(settings):
    repository = Repository(Path("/models"), ("mtcnn",), ())
    return arguments(settings, (0, 1, 2), repository, Path("/backends"), TritonWheel(Path("/wheel")), "key")


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
    settings = Settings(trace=given)
    assert settings.trace_endpoint == endpoint
    assert settings.environment[TRACE_VARIABLE] == endpoint


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


def test_the_log_format_comes_from_the_setting_or_the_environment(monkeypatch):
    monkeypatch.delenv(LOG_FORMAT_VARIABLE, raising=False)
    assert not Settings().writes_json
    assert Settings(log_format="json").writes_json
    monkeypatch.setenv(LOG_FORMAT_VARIABLE, "json")
    assert Settings().writes_json
    assert not Settings(log_format="text").writes_json


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_arguments_of_serve(monkeypatch, capsys):
    monkeypatch.delenv(TRACE_VARIABLE, raising=False)
    assert parse().trace is None
    args = parse("--trace", "http://127.0.0.1:4318", "--trace-rate", "100", "--log-format", "json")
    assert (args.trace, args.trace_rate, args.log_format) == ("http://127.0.0.1:4318", 100, "json")
    monkeypatch.setenv(TRACE_VARIABLE, "http://collector:4318")
    assert parse().trace == "http://collector:4318"
    for wrong in ("collector:4318", "ftp://collector", "http://"):
        with pytest.raises(SystemExit):
            parse("--trace", wrong)
        assert "is not http://HOST:PORT" in capsys.readouterr().err
