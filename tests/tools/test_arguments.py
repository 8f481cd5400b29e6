"""Types of arguments say in one sentence what they wanted."""

import argparse

import pytest

from face_command.arguments import existing_folder, number, readable_file, whole


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (whole(), "0", 0),
        (whole(1, 10), "10", 10),
        (whole(-5), "-5", -5),
        (whole(), "+3", 3),
        (number(), "-1e3", -1000.0),
        (number(0, 1), "1", 1.0),
        (number(above=0), "0.001", 0.001),
        (number(above=0, high=2), "2", 2.0),
    ],
)
def test_numbers_within_the_range(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (whole(), "-1", "'-1' is not a whole number of at least 0"),
        (whole(1, 10), "11", "'11' is not a whole number from 1 to 10"),
        (whole(1), "1.0", "'1.0' is not a whole number of at least 1"),
        (whole(), "1_000", "'1_000' is not a whole number of at least 0"),
        (whole(), "٣", "'٣' is not a whole number of at least 0"),
        (whole(), "", "'' is not a whole number of at least 0"),
        (number(), "nan", "'nan' is not a number"),
        (number(), "inf", "'inf' is not a number"),
        (number(), "1_0", "'1_0' is not a number"),
        (number(), "٣", "'٣' is not a number"),
        (number(0, 1), "nan", "'nan' is not a number from 0 to 1"),
        (number(0), "-0.5", "'-0.5' is not a number of at least 0"),
        (number(high=3), "1e999", "'1e999' is not a number of at most 3"),
        (number(above=0), "0", "'0' is not a number above 0"),
        (number(above=0, high=2), "2.5", "'2.5' is not a number above 0 and at most 2"),
        (number(above=0), "ten", "'ten' is not a number above 0"),
    ],
)
def test_everything_else_is_refused_in_one_sentence(kind, text, sentence):
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        kind(text)
    assert str(refused.value) == sentence


def test_a_number_of_thousands_of_digits_is_refused_as_any_other():
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number of at least 0"):
        whole()("1" * 5000)


def test_files_and_folders(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert readable_file(str(file)) == str(file)
    assert existing_folder(str(tmp_path)) == tmp_path
    with pytest.raises(argparse.ArgumentTypeError, match="missing cannot be read: No such file"):
        readable_file(str(tmp_path / "missing"))
    with pytest.raises(argparse.ArgumentTypeError, match="file is no folder"):
        existing_folder(str(file))
