"""The command line, as far as nothing is started."""

import pytest

from face_bench.command import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "1001"], "'1001' is not a whole number from 0 to 1000"),
        (["--sweep-seconds", "-1"], "'-1' is not a whole number from 0 to 600"),
        (["--clients", "1,0"], "'1,0' must be different numbers from 1 to 256"),
        (["--clients", "2,2"], "'2,2' must be different numbers from 1 to 256"),
        (["--networks", "cloud"], "invalid choice"),
    ],
)
def test_numbers_are_bounded(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_something_must_be_measured(capsys, tmp_path):
    assert main(["--no-wall", "--no-peers", "--out", str(tmp_path)]) == 1
    assert "leaves no picture" in capsys.readouterr().err


def test_the_folder_for_the_files_is_made_first(capsys, tmp_path):
    (tmp_path / "file").touch()
    assert main(["--no-peers", "--out", str(tmp_path / "file")]) == 1
    assert "File exists" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "make bench ARGS=" in capsys.readouterr().out
