"""What the verbs share: every number is checked, every end has its sentence and its status."""

import argparse
import subprocess
import sys

import pytest

from face_client import (
    DeadlineExceeded,
    InvalidImage,
    InvalidInput,
    ModelNotLoaded,
    ServerError,
    ServerUnavailable,
)
from face_command import main as commands
from face_command import verbs
from face_command.main import main
from face_tools.connection import NotReady, add_asking, batch_options, in_one_line

VERBS = {point.name: point.value for point in verbs.verb_entry_points()}
OWN = [module for module in VERBS.values() if module.startswith("face_tools.")]


def parsers(parser):
    """The parser, and those of its verbs' verbs."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)


def numbers_of(verb):
    """(option, type) of every option of a verb that takes a number."""
    parser = commands._parser([verb])
    for inner in parsers(parser._subparsers._group_actions[0].choices[verb]):
        for action in inner._actions:
            try:
                is_number = isinstance(action.type("1"), (int, float))
            except (TypeError, ValueError, argparse.ArgumentTypeError):
                is_number = False
            if is_number:
                yield action.option_strings[0], action.type


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_number_of_every_option_is_finite(verb):
    for option, read in numbers_of(verb):
        for text in ("nan", "inf", "-inf", "1e999", "", "ten", "1_0"):
            with pytest.raises(argparse.ArgumentTypeError) as refused:
                pytest.fail(f"{option} takes {text!r} for {read(text)}")
            assert text in str(refused.value), option


def test_the_numbers_are_found():
    """Lest the test above passes by looking at nothing."""
    assert {"--timeout", "--in-flight", "--max-side", "--threshold-pnet", "--margin"} <= {
        o for o, _ in numbers_of("crop")
    }
    assert {"--limit", "--factor"} <= {option for option, _ in numbers_of("evaluate")}
    assert {"--seconds", "--crf", "--max-age"} <= {option for option, _ in numbers_of("video")}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["detect", "a.jpg", "--threshold-pnet", "nan"],
            "argument --threshold-pnet: 'nan' is not a number of at least 0",
        ),
        (["detect", "a.jpg", "--factor", "inf"], "argument --factor: 'inf' is not a number of at least 0"),
        (["crop", "a.jpg", "out", "--margin", "-1"], "argument --margin: '-1' is not a whole number of at least 0"),
        (["detect", "a.jpg", "--max-faces", "2.5"], "argument --max-faces: '2.5' is not a whole number of at least 0"),
        (["detect", "a.jpg", "--timeout", "1e12"], "--timeout: '1e12' is not a number above 0 and at most 86400"),
        (["detect", "a.jpg", "--in-flight", "9999"], "--in-flight: '9999' is not a whole number from 1 to 1000"),
        (["detect", "a.jpg", "--max-side", "0"], "argument --max-side: '0' is not a whole number of at least 1"),
        (["cluster", "in", "--distance", "2.1"], "--distance: '2.1' is not a number above 0 and at most 2"),
        (["compare", "a", "b", "--threshold", "3"], "--threshold: '3' is not a number above 0 and at most 2"),
        (["video", "a.mp4", "--crf", "52"], "argument --crf: '52' is not a whole number from 0 to 51"),
        (["video", "a.mp4", "--seconds", "nan"], "argument --seconds: 'nan' is not a number above 0"),
        (["evaluate", "wider", "in", "--limit", "0"], "argument --limit: '0' is not a whole number of at least 1"),
        (["evaluate", "lfw", "in", "--min-face-size", "nan"], "'nan' is not a number of at least 0"),
    ],
)
def test_numbers_out_of_range_are_wrong_usage(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith(f"{sentence}\n")


def test_what_was_given_becomes_options():
    parser = argparse.ArgumentParser()
    add_asking(parser)
    assert batch_options(parser.parse_args([])) == {"in_flight": 16, "max_side": None}
    given = parser.parse_args(["--max-side", "900", "--in-flight", "3", "--factor", "0.8", "--align"])
    assert batch_options(given) == {"in_flight": 3, "max_side": 900, "factor": 0.8, "align": True}


NOBODY = ServerUnavailable("to 1.2.3.4: Connection refused")


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (
            NotReady("mtcnn", "a:1", NOBODY),
            3,
            "no server with model 'mtcnn' is ready at a:1 (to 1.2.3.4: Conn",
        ),
        (NotReady("mtcnn", "a:1", NOBODY), 3, "; start one with `faces serve`, or name another with --url"),
        (NotReady("mtcnn", "a:1", DeadlineExceeded("no answer")), 3, "at a:1 (no answer); name another with --url"),
        (NotReady("facenet", "a:1", ModelNotLoaded("it")), 3, "give it FaceNet with `faces export --facenet vggface2`"),
        (InvalidInput("factor is 2, must be from 0.1 to 0.9"), 2, "factor is 2, must be from 0.1 to 0.9"),
        # No argument is wrong, and the server is there.
        (InvalidImage("encoded_image is empty"), 1, "encoded_image is empty"),
        (ServerUnavailable("its queue is full"), 1, "its queue is full"),
        (DeadlineExceeded("no answer"), 1, "no answer"),
        (ServerError("out of order"), 1, "out of order"),
        (OSError(28, "No space left on device", "out/a.json"), 1, "out/a.json: No space left on device"),
        (OSError("the crop would overwrite a picture"), 1, "the crop would overwrite a picture"),
    ],
)
def test_what_ends_a_verb_has_a_sentence_and_a_status(error, status, sentence, capsys):
    def work():
        raise error

    assert in_one_line("look", work) == status
    line = capsys.readouterr().err
    assert line.startswith("faces look: ")
    assert sentence in line
    assert line.count("\n") == 1
    assert in_one_line("look", work, failed=7) == (7 if status == 1 else status)


@pytest.mark.parametrize("why", [NOBODY, ModelNotLoaded("it")])
def test_no_hint_names_a_command_that_is_not_installed(why, monkeypatch):
    monkeypatch.setattr(verbs, "entry_points", lambda **_group: [])
    assert str(NotReady("facenet", "a:1", why)).endswith("; name another with --url")


def test_who_reads_the_output_may_leave():
    def work():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        in_one_line("look", work)


def test_verbs_are_imported_without_grpc_and_extras():
    """`faces --help` asks every verb, and must neither wait for them nor need them."""
    heavy = "('tritonclient', 'grpc', 'scipy', 'sklearn', 'matplotlib', 'av')"
    code = f"import sys, {', '.join(OWN)}; sys.exit(str([name for name in {heavy} if name in sys.modules]))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.stderr == "[]\n"
    assert len(OWN) == 10


@pytest.mark.parametrize(
    ("package", "arguments", "sentence"),
    [
        ("av", ["video", "clip.mp4"], 'av is needed for videos: pip install "av>=15" "scipy>=1.9"'),
        ("scipy", ["video", "clip.mp4"], 'scipy is needed for videos: pip install "av>=15" "scipy>=1.9"'),
        ("scipy", ["cluster", "photos"], 'scipy is needed for clusters: pip install "scipy>=1.9"'),
        (
            "matplotlib",
            ["evaluate", "lfw", "lfw"],
            'matplotlib is needed for evaluation: pip install "scipy>=1.9" "scikit-learn>=1.1" "matplotlib>=3.5"',
        ),
    ],
)
def test_without_an_extra(package, arguments, sentence, command_transport, capsys, monkeypatch):
    """One sentence before anything is asked of a server; help needs nothing."""
    monkeypatch.setitem(sys.modules, package, None)
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"faces: a package is missing: {sentence}\n"
    assert command_transport.requests == []
    with pytest.raises(SystemExit) as caught:
        main([arguments[0], "--help"])
    assert caught.value.code == 0
