"""The arguments of `faces serve`."""

import argparse

import pytest

from face_admin import page
from face_admin import serve as command
from face_client.tls import CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE, TLS_VARIABLE
from face_command.main import main
from face_gateway import command as page_command
from face_runtime.settings import GALLERY_VARIABLE, TRACE_VARIABLE

TLS_VARIABLES = (TLS_VARIABLE, CA_VARIABLE, CERT_VARIABLE, KEY_VARIABLE)


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


@pytest.fixture
def beside(monkeypatch):
    """What `faces serve` runs beside the server, and the variables that it is given."""
    for name in (GALLERY_VARIABLE, *TLS_VARIABLES):
        monkeypatch.delenv(name, raising=False)

    def made(*words, **environment):
        args = parse(*words)
        return page.command_beside(args, environment), page.variables_beside(args)

    return made


NO_TLS = dict.fromkeys(TLS_VARIABLES, "")


def test_the_page_is_a_command_beside_the_server(beside):
    assert beside() == ([], {})
    assert beside("--", "faces", "detect", "a.jpg") == (["faces", "detect", "a.jpg"], {})
    assert beside("--page") == (["faces", "page"], NO_TLS)
    assert beside("--page", "--any-ports")[0] == ["faces", "page", "--port", "0"]
    assert beside("--page", "--any-ports", "--page-port", "8888")[0] == ["faces", "page", "--port", "8888"]


def test_the_page_knows_the_servers_people(beside):
    command, variables = beside("--page", "--gallery", "people.gallery", "--random-weights")
    assert command == ["faces", "page", "--served", "--random-weights"]
    assert variables == {**NO_TLS, GALLERY_VARIABLE: "people.gallery"}
    # It reads the same variable itself, and a password stays off its command line.
    command, variables = beside("--page", **{GALLERY_VARIABLE: "postgresql://u:secret@h/db"})
    assert command == ["faces", "page", "--served"]
    assert variables == NO_TLS


def test_what_runs_beside_the_server_is_understood(beside):
    every = ("--page", "--any-ports", "--gallery", "a.gallery", "--random-weights", "--log-format", "json")
    parser = argparse.ArgumentParser()
    page_command.add_arguments(parser)
    for given, opened in (((), None), (("--open",), ""), (("--open", "sample"), "sample")):
        args = parser.parse_args(beside(*every, *given)[0][2:])
        assert (args.port, args.served, args.random_weights, args.log_format) == (0, True, True, "json")
        assert args.open == opened


def test_the_page_trusts_whom_the_environment_names(beside):
    encrypted = ("--page", "--tls-cert", "server.pem")
    with pytest.raises(page.PageRefused, match="must know whom to trust where there is --tls-cert: set TRITON_FACES_"):
        beside(*encrypted)
    trusting = {CA_VARIABLE: "ca.pem"}
    assert beside(*encrypted, **trusting) == (["faces", "page"], {})
    with pytest.raises(page.PageRefused, match="must come with a certificate where there is --tls-ca: set TRITON_"):
        beside(*encrypted, "--tls-ca", "clients.pem", **trusting)
    assert beside(*encrypted, "--tls-ca", "clients.pem", **trusting, **{CERT_VARIABLE: "own.pem"})[1] == {}


def test_what_does_not_go_with_the_page(beside, monkeypatch, capsys):
    assert main(["serve", "--page", "--", "true"]) == 2
    assert "faces serve: --page is a command itself: leave out the other one" in capsys.readouterr().err
    for option in (["--page-port", "8888"], ["--open"]):
        assert main(["serve", *option]) == 2
        assert capsys.readouterr().err == "faces serve: --page-port and --open need --page\n"
    monkeypatch.setattr(page, "has_verb", lambda _: False)
    with pytest.raises(page.PageRefused, match="--page needs `faces page`: see the extra 'gateway' of triton-faces"):
        beside("--page")
