"""The arguments of `faces serve`."""

import argparse

import pytest

from face_admin import serve as command
from face_command.main import main
from face_runtime.settings import GALLERY_VARIABLE, TRACE_VARIABLE


def parse(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_logs_and_traces(monkeypatch):
    monkeypatch.delenv(TRACE_VARIABLE, raising=False)
    assert parse().trace is None
    args = parse("--trace", "http://127.0.0.1:4318", "--trace-rate", "100", "--log-format", "json")
    assert (args.trace, args.trace_rate, args.log_format) == ("http://127.0.0.1:4318", 100, "json")
    monkeypatch.setenv(TRACE_VARIABLE, "http://collector:4318")
    assert parse().trace == "http://collector:4318"


def test_a_gallery(monkeypatch, capsys):
    assert (parse().gallery, parse().random_weights) == (None, False)
    args = parse("--gallery", "people.gallery", "--random-weights")
    assert (args.gallery, args.random_weights) == ("people.gallery", True)
    monkeypatch.setenv(GALLERY_VARIABLE, "postgresql://u:secret@h/db")
    with pytest.raises(SystemExit):
        parse("--help")
    assert "secret" not in capsys.readouterr().out


def test_a_gallery_that_cannot_be_used_is_told_before_anything_starts(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv(GALLERY_VARIABLE, raising=False)
    (tmp_path / "notes.txt").write_text("no gallery" * 500)
    for where in (tmp_path, tmp_path / "notes.txt", tmp_path / "none" / "a.gallery"):
        assert main(["serve", "--gallery", str(where)]) == 2
        assert f"faces serve: {where} " in "".join(capsys.readouterr())


def test_the_configuration_of_the_models(capsys):
    assert parse().configuration is None
    assert parse("--configuration", "tuned").configuration == "tuned"
    with pytest.raises(SystemExit):
        parse("--configuration", "tuned", "--bounded-queue")
    assert "not allowed with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "wrong", "sentence"),
    [
        *(("--trace", wrong, "is not http://HOST:PORT") for wrong in ("collector:4318", "ftp://collector", "http://")),
        # A start that would never end.
        ("--start-timeout", "nan", "'nan' is not a number above 0 and at most 86400"),
        ("--start-timeout", "0", "'0' is not a number above 0 and at most 86400"),
        ("--grpc-port", "99999", "'99999' is not a whole number from 0 to 65535"),
        ("--health-port", "-1", "'-1' is not a whole number from 0 to 65535"),
        ("--threads", "0", "'0' is not a whole number from 1 to 1024"),
        ("--trace-rate", "0", "'0' is not a whole number from 1 to 1000000"),
        ("--verbose", "10", "'10' is not a whole number from 0 to 9"),
        ("--networks", "gpu", "choose from"),
        ("--configuration", "fast", "choose from"),
    ],
)
def test_arguments_that_cannot_be(option, wrong, sentence, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(f"{option}={wrong}")
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--http-port", "8001", "--grpc-port", "8001"], "grpc_port is 8001, must be another port than http_port"),
        (["--metrics-port", "8000"], "metrics_port is 8000, must be another port than http_port"),
        (["--health-port", "8002"], "--health-port 8002 is the port of another listener already"),
    ],
)
def test_two_listeners_on_one_port(arguments, sentence, capsys):
    assert main(["serve", *arguments]) == 2
    assert capsys.readouterr().err == f"faces serve: {sentence}\n"
