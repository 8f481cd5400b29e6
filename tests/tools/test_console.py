"""What a person at a terminal sees of long work."""

import sys
import time

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
