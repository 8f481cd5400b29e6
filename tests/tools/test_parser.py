"""Manners of all commands: whole option names, the right usage, help that fits, completion."""

import argparse
import subprocess

import pytest

import face_bench.command
import face_bench.gpu.command
import face_bench.tune.command
import face_load.command
from face_command.arguments import existing_folder, readable_file
from face_command.completion import arguments_of, script
from face_command.main import main, whole_parser
from face_command.parser import Parser


def commands(parser):
    """All parsers below one, and itself."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from commands(command)


def test_every_help_fits_a_terminal_of_80_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    tools = [face_bench.command, face_bench.gpu.command, face_bench.tune.command, face_load.command]
    parsers = [*commands(whole_parser()), *(one for tool in tools for one in commands(tool._parser()))]
    assert {"faces video", "faces evaluate lfw", "faces train pnet", "face_bench.tune"} <= {one.prog for one in parsers}
    assert [line for one in parsers for line in one.format_help().splitlines() if len(line) > 80] == []
    assert not any(one.allow_abbrev for one in parsers)


def test_examples_that_do_not_fit_are_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "42")
    parser = Parser(
        "x",
        epilog="examples:\n  x a         short\n  x --long-option value --other value      what it does\n"
        "                  and more\n\nWords of which there are more than fit one line.\nAnd more.\n",
    )
    assert parser.format_help().split("examples:\n")[1] == (
        "  x a         short\n  x --long-option value --other value\n      what it does and more\n\n"
        "Words of which there are more than fit\none line. And more.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "usage", "message"),
    [
        (["detect", "a.jpg", "--min-face", "30"], "faces detect", "--min-face 30; did you mean --min-face-size?"),
        (["detect", "a.jpg", "--jsn"], "faces detect", "--jsn; did you mean --json?"),
        (["evaluate", "lfw", "data", "--nonsense"], "faces evaluate lfw", "--nonsense"),
        (["train", "pnet", "work", "--epoch=3"], "faces train pnet", "--epoch=3; did you mean --epochs?"),
        (["video", "a.mp4", "b.mp4"], "faces video", "b.mp4"),
        (["gallery", "verify", "Ada", "a.jpg", "b.jpg"], "faces gallery verify", "b.jpg"),
        (
            ["detect", "a.jpg", "--json", "b.jpg"],
            "faces detect",
            "b.jpg; names and paths must follow one another, with all options before or behind them",
        ),
    ],
)
def test_an_unknown_option_shows_the_usage_of_its_command(arguments, usage, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"usage: {usage} [-h]")
    assert err.endswith(f"{usage}: error: unrecognized arguments: {message}\n")


_COMPLETE = """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$(({count} - 1))
_shtab_faces faces "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD-1]}}" 2> {script}.err
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """completed("faces", "de"): what bash offers, in a folder with a photo, a folder, and a name with a space."""
    folder = tmp_path_factory.mktemp("completion")
    (folder / "script").write_text(script(whole_parser(), "bash"))
    (folder / "here" / "holiday").mkdir(parents=True)
    (folder / "here" / "a b.jpg").touch()

    def run(*words):
        quoted = " ".join(f"'{word}'" for word in words)
        shell = _COMPLETE.format(script=folder / "script", words=quoted, count=len(words))
        done = subprocess.run(["bash", "-c", shell], cwd=folder / "here", capture_output=True, text=True, check=True)
        return set(done.stdout.splitlines())

    return run


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["faces", "de"], {"deploy", "detect"}),
        (["faces", "detect", "--sa"], {"--save"}),
        (["faces", "detect", "--selection", "l"], {"largest", "largest_over_threshold"}),
        (["faces", "detect", ""], {"a b.jpg", "holiday"}),
        (["faces", "detect", "--save", ""], {"holiday"}),
        (["faces", "video", "--out", ""], {"a b.jpg", "holiday"}),
        (["faces", "evaluate", "w"], {"wider"}),
        (["faces", "evaluate", "lfw", "--pairs", ""], {"a b.jpg", "holiday"}),
        (["faces", "train", "pnet", "--ini"], {"--init"}),
        (["faces", "completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_completion_in_bash(completed, words, offered):
    assert completed(*words) == offered


def test_files_are_completed_as_files(capsys):
    """Whatever takes a path says so to the shells, and all three have a script."""
    for shell in ("bash", "zsh", "fish"):
        assert main(["completion", shell]) == 0
        assert "min-face-size" in capsys.readouterr().out
    parser = whole_parser()
    script(parser, "bash")
    paths = [
        one for one in arguments_of(parser) if one.type in (readable_file, existing_folder) or one.metavar == "PATH"
    ]
    assert len(paths) > 20
    assert all(hasattr(one, "complete") for one in paths)
