"""`faces evaluate thresholds` on pictures whose answers are known."""

import json

import numpy as np
import pytest
from PIL import Image

from face_command import console
from face_command.main import main
from tests.standard_sets import write_wider_text
from tests.tools.evaluation.test_wider import answer, width_of

# A picture is known by its width. One face found twice; one missed, and a false one; no face, and a false one.
LABELS = {
    "two.png": (100, [[0, 0, 20, 20], [40, 0, 60, 20]]),
    "one.png": (101, [[5, 5, 35, 35]]),
    "none.png": (102, []),
}
FOUND = {
    100: [[0, 0, 20, 20, 1.0], [1, 1, 21, 21, 0.92], [40, 0, 60, 20, 0.75]],
    101: [[60, 60, 80, 80, 0.85]],
    102: [[60, 60, 80, 80, 0.2]],
}


@pytest.fixture
def folder(tmp_path, command_transport, monkeypatch):
    command_transport.reply = lambda request: answer(FOUND[width_of(request)])
    monkeypatch.setattr(console, "HAS_RICH", False)
    for name, (width, _) in LABELS.items():
        Image.fromarray(np.zeros((90, width, 3), np.uint8)).save(tmp_path / name)
    lines = [{"image": name, "faces": [{"box": box} for box in boxes]} for name, (_, boxes) in LABELS.items()]
    # As `faces detect --json` leaves it: with the record of a picture that failed.
    lines.append({"image": "gone.png", "error": {"type": "FileNotFoundError", "message": "No such file or directory"}})
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    return tmp_path


def evaluate(folder, labels="labels.jsonl", *arguments):
    out = folder / "out"
    return main(
        ["evaluate", "thresholds", str(folder / labels), "--pictures", str(folder), "--out", str(out), *arguments]
    )


def test_table_and_report(folder, command_transport, capsys):
    assert evaluate(folder) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["threshold", "found", "false", "missed", "precision", "recall"]
    table = {row[0]: row[1:] for row in rows[1:]}
    assert table["0.1"] == ["2", "3", "1", "0.400", "0.667"]
    assert table["0.3"] == ["2", "2", "1", "0.500", "0.667"]
    assert table["0.8"] == ["1", "2", "2", "0.333", "0.333"]
    assert table["0.999"] == ["1", "0", "2", "1.000", "0.333"]
    report = json.loads((folder / "out" / "report.json").read_text())
    assert (report["complete"], report["pictures"], report["faces"]) == (True, 3, 3)
    assert command_transport.requests[0].parameters == report["parameters"] == {"threshold_onet": 0.1}
    # Another run asks nothing, and JSON is the report.
    asked = len(command_transport.requests)
    assert evaluate(folder, "labels.jsonl", "--json") == 0
    assert json.loads(capsys.readouterr().out) == report
    assert len(command_transport.requests) == asked


def test_nothing_found_and_nothing_marked(folder, command_transport, capsys):
    command_transport.reply = lambda _: answer([])
    (folder / "labels.jsonl").write_text('{"image": "none.png", "faces": []}\n')
    assert evaluate(folder) == 0
    assert capsys.readouterr().out.splitlines()[1] == "0.1\t0\t0\t0\t-\t-"


def test_widers_text(folder, capsys):
    boxes = {name[:-4]: [[x, y, u - x, v - y] for x, y, u, v in faces] for name, (_, faces) in LABELS.items()}
    write_wider_text(folder / "labels.txt", {"photos": boxes})
    (folder / "photos").mkdir()
    for name, (width, _) in LABELS.items():
        Image.fromarray(np.zeros((90, width, 3), np.uint8)).save(folder / "photos" / f"{name[:-4]}.jpg")
    assert evaluate(folder, "labels.txt") == 0
    assert "0.1\t2\t3\t1\t0.400\t0.667" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", ["a.jpg", "[1]", '{"image": "a.jpg"}', '{"image": "a.jpg", "faces": [{"box": [1, 2]}]}', '{"faces": []}']
)
def test_lines_that_are_no_labels(folder, line, capsys):
    (folder / "labels.jsonl").write_text('{"image": "none.png", "faces": []}\n' + line)
    assert evaluate(folder) == 2
    assert "labels.jsonl, line 2: " in capsys.readouterr().err


def test_no_labels(folder, capsys):
    (folder / "labels.jsonl").write_text("")
    assert evaluate(folder) == 2
    assert "has no line with a picture" in capsys.readouterr().err
