"""What a person at a terminal sees of long work."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from face_command import console


@pytest.mark.usefixtures("plain")
def test_progress_without_rich(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ticks = iter(range(0, 10_000, 2))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(ticks))
    list(console.tracked(range(3), total=4, done=1, what="frames", rate=" FPS"))
    assert capsys.readouterr().err.split("\r")[1].rstrip() == "frames: 2/4, 0.5 FPS, 4 s left"
    list(console.tracked(range(3), total=None))
    assert capsys.readouterr().err.split("\r")[1].rstrip() == "pictures: 1, 0.5/s"


@pytest.mark.parametrize("total", [30, None])
def test_progress_with_rich(total, monkeypatch, capsys):
    monkeypatch.setattr(console, "HAS_RICH", True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(console.tracked(slowly(range(30)), total, what="frames", rate=" FPS")) == list(range(30))
    err = capsys.readouterr().err
    assert "frames" in err
    assert " FPS" in err


def slowly(items):
    for item in items:
        time.sleep(0.01)
        yield item


@pytest.mark.usefixtures("plain")
def test_rows_come_one_by_one_and_long_paths_keep_their_ends(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    columns = [console.Column("image"), console.Column("faces", 5), console.Column("p", 8)]

    def rows():
        yield "a/very/long/path/to/somewhere.jpg", "1", "0.9"
        assert "somewhere.jpg" in capsys.readouterr().out
        yield "b\x1b[2J.jpg", "12", "0.8"

    console.print_as_they_come(columns, rows())
    assert capsys.readouterr().out == "b?[2J.jpg                12     0.8\n"


@pytest.mark.parametrize(
    ("text", "cell"),
    [("short", "short   "), ("eightish", "eightish"), ("nine-long", "…ne-long"), ("/x" * 40, "…x/x/x/x")],
)
def test_a_cell_has_its_width(text, cell):
    assert console.cell_of(text, 8) == cell


def test_wide_letters_take_two_cells():
    pytest.importorskip("rich")
    assert console.cell_of("休暇/写真.jpg", 9) == "…写真.jpg"


# `console.line` says so at once; what a verb prints by other means is met at its end.
@pytest.mark.parametrize("says", ["console.line('x')", "print('x')"])
def test_a_stdout_that_is_full_is_one_sentence(says):
    program = f"""
import sys, types
from face_command import console, main
args = types.SimpleNamespace(run=lambda _args: {says} or 0)
main._parser = lambda _arguments: types.SimpleNamespace(parse_args=lambda _arguments: args)
sys.exit(main.main([]))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert (done.returncode, done.stderr) == (1, "faces: standard output: No space left on device\n")
