"""The command line and the options of the locust file, as far as nothing is started."""

import argparse

import pytest

from face_bench import BenchError
from face_load.command import main, parse
from face_load.options import add_options, numbers, parse_formats, parse_sizes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["load", "--users", "0"], "'0' is not a whole number from 1 to 10000"),
        (["load", "--rate", "-1"], "'-1' is not a number from 0 to 10000"),
        (["load", "--stages", "2@"], "stage '2@' must be USERS@SECONDS"),
        (["saturate", "--p95", "soon"], "'soon' is not a number from 1 to 600000"),
        (["saturate", "--errors", "nan"], "'nan' is not a number from 0 to 100"),
        (["soak", "--bad-share", "2"], "'2' is not a number from 0 to 1"),
        (["soak", "--networks", "cloud"], "invalid choice"),
        ([], "required"),
    ],
)
def test_numbers_are_bounded(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_what_is_not_ours_goes_to_locust():
    args = parse(["load", "--users", "3", "--sizes", "64x64", "--deadline", "2", "Detection"])
    assert args.users == 3
    assert args.locust == ("--sizes", "64x64", "--deadline", "2", "Detection")
    assert args.bounded_queue


def test_the_queue_may_be_unbounded():
    assert not parse(["saturate", "--unbounded-queue"]).bounded_queue


def test_the_folder_for_the_files_is_made_first(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert main(["load", "--out", str(tmp_path / "file")]) == 1
    assert "File exists" in capsys.readouterr().err


def test_a_soak_needs_samples(capsys, tmp_path):
    assert main(["soak", "--minutes", "1", "--interval", "8", "--out", str(tmp_path)]) == 1
    assert "--interval 8 leaves fewer than 8 samples" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["load", "saturate", "soak"])
def test_help_teaches(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    shown = capsys.readouterr().out
    assert f"make {verb}" in shown
    assert "locust -f load_tests/locustfile.py --help" in shown


def test_sizes_and_formats_are_read():
    assert parse_sizes("1920x1080, 64x48") == [(1920, 1080), (64, 48)]
    assert parse_formats("raw, jpeg") == ["raw", "jpeg"]


@pytest.mark.parametrize("text", ["", "64", "64x", "x64", "64x64x64", "-64x64", "11x64", "64x9000"])
def test_what_is_no_size_is_told(text):
    with pytest.raises(ValueError, match="must be WIDTHxHEIGHT"):
        parse_sizes(text)


@pytest.mark.parametrize("text", ["", "png", "raw,png"])
def test_what_is_no_format_is_told(text):
    with pytest.raises(ValueError, match="must be of raw, jpeg"):
        parse_formats(text)


def locust_options(*arguments):
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "soon"])
def test_what_is_no_number_is_refused_everywhere(value, capsys):
    of_verbs = {
        "load": ("--users", "--rate", "--seconds", "--warm-up"),
        "saturate": ("--p95", "--errors", "--start", "--seconds", "--warm-up", "--users", "--overload"),
        "soak": ("--minutes", "--users", "--interval", "--bad-share"),
    }
    refused = [(parse, verb, option) for verb, options in of_verbs.items() for option in options]
    refused += [(locust_options, option) for option in ("--rate", "--think", "--bad-share", "--deadline", "--seed")]
    for read, *words, option in refused:
        with pytest.raises(SystemExit):
            read(*([[*words, f"{option}={value}"]] if read is parse else (f"{option}={value}",)))
        assert f"argument {option}: {value!r} is not a" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["rate", "think", "bad_share", "deadline"])
def test_the_web_page_gives_no_other_numbers_than_the_command_line(name):
    given = locust_options()
    assert numbers(given)[name] == getattr(given, name)
    setattr(given, name, float("nan"))
    with pytest.raises(BenchError, match="'nan' is not a number from"):
        numbers(given)
