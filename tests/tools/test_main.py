"""`faces` itself: verbs of every distribution, help, wrong usage."""

import types

import pytest

from face_command import main as commands
from face_command.main import main


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["detect"],
        ["no-such-verb"],
        ["detect", "a.jpg", "--in-flight", "0"],
        ["detect", "a.jpg", "--min-face-size", "x"],
        ["detect", "a.jpg", "--selection", "best"],
        ["detect", "a.jpg", "--timeout", "nan"],
    ],
)
def test_wrong_usage(arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_version_and_help(capsys):
    for arguments, text in (
        (["--version"], "faces "),
        (["--help"], "detect"),
        (["detect", "-h"], "--save found/"),
    ):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        assert text in capsys.readouterr().out


class Point:
    """An entry point that loads what it is given, or raises it."""

    def __init__(self, name, module):
        self.name, self.module = name, module

    def load(self):
        if isinstance(self.module, Exception):
            raise self.module
        return self.module


@pytest.fixture
def plugins(monkeypatch):
    """A verb that works, one that does not import, one that is no verb."""
    works = types.SimpleNamespace(
        HELP="count to 100 %",
        add_arguments=lambda parser: parser.add_argument("--to", type=int),
        run=lambda args: args.to,
    )
    points = [
        Point("count", works),
        Point("broken", ImportError("No module named 'x'")),
        Point("odd", object()),
    ]
    monkeypatch.setattr(commands, "verb_entry_points", lambda: points)


@pytest.mark.usefixtures("plugins")
def test_verbs_of_other_distributions(capsys):
    assert main(["count", "--to", "7"]) == 7
    assert main(["broken", "--any", "thing", "-h"]) == 2
    assert capsys.readouterr().err == "faces broken is unavailable: No module named 'x'\n"
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    assert "count to 100 %" in out
    assert "unavailable: No module named 'x'" in out
    assert "its module has no HELP" in out
