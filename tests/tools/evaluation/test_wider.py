"""`faces evaluate wider` on a small set, with answers that are known."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from face_client import DeadlineExceeded, FaceClient, ServerError, ServerUnavailable
from face_client.messages import Response
from face_command import console
from face_command.main import main
from face_pictures.decoding import image_size
from tests.standard_sets import write_wider_mat, write_wider_pictures, write_wider_text

# A picture is known by its width.
EVENTS = {
    "0--Parade": {"first": [[0, 0, 20, 20], [40, 0, 20, 20]], "second": [[0, 0, 20, 20]]},
    "1--Meeting": {"third": [[5, 5, 30, 30], [60, 60, 5, 5]]},
}
SUBSETS = {
    "easy": {"third": [1]},
    "medium": {"first": [1], "third": [1]},
    "hard": {"first": [1, 2], "second": [1], "third": [1]},
}
NAMES = ["0--Parade/first.jpg", "0--Parade/second.jpg", "1--Meeting/third.jpg"]
WIDTHS = dict(zip(NAMES, (100, 101, 102), strict=True))

# x1, y1, x2, y2, probability: both faces; a false one that is likelier than the face; the face, and the other
# one, which belongs to no subset.
FOUND = {
    100: [[0, 0, 20, 20, 1.0], [40, 0, 60, 20, 0.6]],
    101: [[60, 60, 80, 80, 0.9], [0, 0, 20, 20, 0.8]],
    102: [[5, 5, 35, 35, 0.7], [60, 60, 65, 65, 0.5]],
}
# Of `hard` in order of score: true, false, true, true, true.
HARD = (1 + 3 * 4 / 5) / 4


def answer(rows, candidates_dropped=0):
    rows = np.array(rows, np.float32).reshape(-1, 5)
    count = len(rows)
    return Response(
        {
            "boxes": rows[None, :, :4],
            "probabilities": rows[None, :, 4],
            "landmarks": np.zeros((1, count, 5, 2), np.float32),
            "num_faces": np.array([[count]], np.int32),
            "candidates_dropped": np.array([[candidates_dropped]], np.int32),
        }
    )


def width_of(request):
    return image_size(request.inputs["encoded_image"][0, 0])[0]


@pytest.fixture(autouse=True)
def transport(command_transport, monkeypatch):
    """The server of every client that the command makes."""
    command_transport.reply = lambda request: answer(FOUND[width_of(request)])
    monkeypatch.setattr(console, "HAS_RICH", False)
    return command_transport


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "WIDER"
    write_wider_mat(folder / "ground_truth", EVENTS, SUBSETS)
    write_wider_pictures(folder, {name: np.zeros((90, width, 3), np.uint8) for name, width in WIDTHS.items()})
    return folder


@pytest.fixture
def evaluate(data, tmp_path):
    """evaluate(*arguments): the exit status, and report.json."""

    def run(*arguments):
        status = main(["evaluate", "wider", str(data), "--out", str(tmp_path / "out"), *arguments])
        report = tmp_path / "out" / "report.json"
        return status, json.loads(report.read_text()) if report.exists() else None

    return run


def test_table_report_and_plot(evaluate, data, tmp_path, transport, capsys):
    status, report = evaluate()
    out, err = capsys.readouterr()
    assert status == 0
    assert out == (
        "subset\tfaces\taverage precision\trecall\tprecision\n"
        "easy\t1\t0.5000\t1.0000\t0.5000\n"
        "medium\t2\t0.8333\t1.0000\t0.6667\n"
        f"hard\t4\t{HARD:.4f}\t1.0000\t0.8000\n"
    )
    assert err == f"written to {tmp_path / 'out'}\n"
    assert report["complete"] is True
    assert report["subsets"]["hard"] == {
        "average_precision": pytest.approx(HARD),
        "faces": 4,
        "recall": 1.0,
        "precision": 0.8,
    }
    assert (report["pictures"], report["detections"]) == (3, 6)
    assert report["ground_truth"] == str(data / "ground_truth")
    assert Image.open(tmp_path / "out" / "precision-recall.png").size == (832, 624)
    assert (
        transport.requests[0].parameters
        == report["parameters"]
        == {
            "min_face_size": 10,
            "threshold_pnet": 0.5,
            "threshold_rnet": 0.5,
            "threshold_onet": 0.3,
            "factor": 0.79,
        }
    )


def test_json_is_the_report(evaluate, capsys):
    _, report = evaluate("--json")
    assert json.loads(capsys.readouterr().out) == report


def test_only_what_is_new_is_asked_and_one_picture_again(evaluate, transport, capsys):
    status, report = evaluate("--limit", "2")
    assert (status, report["complete"], report["pictures"]) == (0, False, 2)
    assert "a try-out on a part of the set" in capsys.readouterr().err
    asked = [width_of(request) for request in transport.requests]
    transport.requests.clear()
    status, whole = evaluate()
    assert (status, whole["complete"]) == (0, True)
    assert whole["subsets"]["hard"]["average_precision"] == pytest.approx(HARD)
    assert "2 of 3 pictures are in" in capsys.readouterr().err
    again = [width_of(request) for request in transport.requests]
    assert sorted({*asked, *again}) == [100, 101, 102]
    assert len(asked) == len(again) == 2
    assert again[0] in asked


def test_a_whole_file_of_results_needs_no_server_and_no_pictures(evaluate, data, transport):
    first = evaluate()
    transport.requests.clear()
    transport.ready = False
    (data / "WIDER_val").rename(data / "elsewhere")
    assert evaluate() == first
    assert transport.requests == []


def test_the_same_detections_with_the_other_ground_truth(evaluate, data, transport):
    evaluate()
    transport.requests.clear()
    text = data / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    write_wider_text(text, EVENTS, invalid={("third", 1)})
    status, report = evaluate("--ground-truth", str(text))
    assert (status, transport.requests) == (0, [])
    assert report["subsets"] == {
        "all": {"average_precision": pytest.approx(HARD), "faces": 4, "recall": 1.0, "precision": 0.8}
    }


def test_a_subset_without_a_face_has_no_precision(evaluate, data, capsys):
    write_wider_mat(data / "ground_truth", EVENTS, {**SUBSETS, "easy": {}})
    status, report = evaluate()
    assert (status, report["subsets"]["easy"]["average_precision"]) == (0, None)
    assert "easy\t0\t-\t-\t-\n" in capsys.readouterr().out


def test_missing_pictures_are_told(evaluate, data, capsys):
    (data / "WIDER_val" / "images" / NAMES[1]).unlink()
    status, report = evaluate()
    assert (status, report["complete"], report["missing"], report["pictures"]) == (1, False, [NAMES[1]], 2)
    assert report["subsets"]["hard"]["faces"] == 3
    err = capsys.readouterr().err
    assert f"{NAMES[1]}: no such file" in err
    assert "pictures that these numbers lack: 1;" in err


def test_what_failed_is_asked_again(evaluate, transport, capsys):
    def reply(request):
        if width_of(request) == 101:
            raise DeadlineExceeded("no answer within the timeout of 30 s")
        return answer(FOUND[width_of(request)])

    transport.reply = reply
    status, report = evaluate()
    assert (status, list(report["failed"])) == (1, [NAMES[1]])
    assert report["failed"][NAMES[1]].startswith("no answer within the timeout of 30 s (request ")
    assert f"{NAMES[1]}: no answer within" in capsys.readouterr().err
    transport.reply = lambda request: answer(FOUND[width_of(request)])
    transport.requests.clear()
    status, report = evaluate()
    assert (status, report["complete"], report["failed"]) == (0, True, {})
    assert [width_of(request) for request in transport.requests] == [100, 101]


def test_a_server_that_goes_away_ends_the_run_and_nothing_is_lost(evaluate, transport, tmp_path, capsys):
    def reply(request):
        if width_of(request) == 102:
            transport.ready = False
            raise ServerUnavailable("connection refused")
        return answer(FOUND[width_of(request)])

    transport.reply = reply
    assert evaluate("--in-flight", "1", "--timeout", "0.3", "--url", "here:1") == (3, None)
    err = capsys.readouterr().err
    assert "no server with model 'mtcnn' is ready at here:1; start one with `faces serve`" in err
    assert f"what is done is kept in {tmp_path / 'out'}" in err
    assert len((tmp_path / "out" / "detections.jsonl").read_text().splitlines()) == 3
    assert evaluate()[0] == 3
    assert "no server with model 'mtcnn' is ready" in capsys.readouterr().err


def test_a_server_that_is_back_in_time_is_asked_for_the_same_picture_again(evaluate, transport, monkeypatch):
    waits = []

    def reply(request):
        if width_of(request) == 101 and not waits:
            transport.ready = False
            raise ServerUnavailable("connection refused")
        return answer(FOUND[width_of(request)])

    def wait_ready(_client, timeout, *_model):
        waits.append(timeout)
        transport.ready = True

    transport.reply = reply
    monkeypatch.setattr(FaceClient, "wait_ready", wait_ready)
    status, report = evaluate("--in-flight", "1", "--retries", "0", "--wait", "20")
    assert (status, report["complete"], waits) == (0, True, [20.0])


@pytest.mark.parametrize("change", [[[1.5, 0, 20, 20, 1.0], [40, 0, 60, 20, 0.6]], []])
def test_other_networks_are_noticed(evaluate, transport, change, capsys):
    evaluate("--limit", "2")
    transport.reply = lambda request: answer(change if width_of(request) == 100 else FOUND[width_of(request)])
    assert evaluate()[0] == 2
    assert "it serves other networks; choose another folder" in capsys.readouterr().err


def test_rounding_is_not_taken_for_other_networks(evaluate, transport):
    evaluate("--limit", "2")
    transport.reply = lambda request: answer(np.array(FOUND[width_of(request)]) + 0.01)
    assert evaluate()[0] == 0


def test_other_settings_are_refused(evaluate, capsys):
    evaluate()
    assert evaluate("--min-face-size", "20")[0] == 2
    assert "parameters.min_face_size 10 there and 20.0 now" in capsys.readouterr().err


def test_dropped_candidates_are_told(evaluate, transport, capsys):
    transport.reply = lambda request: answer(FOUND[width_of(request)], candidates_dropped=width_of(request) - 100)
    _, report = evaluate()
    assert report["pictures_with_dropped_candidates"] == 2
    assert "in 2 of 3 pictures the server dropped candidates" in capsys.readouterr().err


def test_a_set_that_is_not_there(tmp_path, data, capsys):
    assert main(["evaluate", "wider", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
    assert "no ground truth in" in capsys.readouterr().err
    (data / "WIDER_val").rename(data / "pictures")
    assert main(["evaluate", "wider", str(data), "--out", str(tmp_path / "out")]) == 2
    assert "none of the 3 pictures is there; 0--Parade/first.jpg was looked for at" in capsys.readouterr().err


def test_without_the_extra(data, tmp_path):
    """One sentence before anything is asked of a server."""
    code = "import sys; sys.modules['sklearn'] = None; from face_command.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "evaluate", "wider", str(data), "--out", str(tmp_path / "out")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert (
        'sklearn is needed for evaluation: pip install "scipy>=1.9" "scikit-learn>=1.1" "matplotlib>=3.5"'
        in result.stderr
    )
    help_text = subprocess.run([*command[:5], "--help"], capture_output=True, text=True, timeout=60)
    assert help_text.returncode == 0
    assert "examples:" in help_text.stdout
    # The defaults are those of this set.
    assert "needs in the last stage (0.3)" in " ".join(help_text.stdout.split())


def test_results_that_cannot_be_written(data, tmp_path, capsys):
    (tmp_path / "out").touch()
    assert main(["evaluate", "wider", str(data), "--out", str(tmp_path / "out")]) == 2
    sentence = f"--out {tmp_path / 'out'} cannot be written: {tmp_path / 'out'} is no folder"
    assert capsys.readouterr().err == f"faces evaluate wider: {sentence}\n"


@pytest.mark.parametrize("name", ["report.json", "precision-recall.png"])
def test_no_file_of_somebody_else_is_overwritten(data, tmp_path, name, capsys):
    (tmp_path / name).write_text('{"mine": 1}')
    assert main(["evaluate", "wider", str(data), "--out", str(tmp_path)]) == 2
    assert f"--out would overwrite {tmp_path / name}" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == '{"mine": 1}'


def test_an_error_that_is_no_missing_server_is_not_told_as_one(evaluate, monkeypatch, capsys):
    def fail(*_arguments):
        raise ServerError("out of order")

    monkeypatch.setattr("face_tools.evaluation.wider.measure", fail)
    assert evaluate()[0] == 1
    assert capsys.readouterr().err == "faces evaluate wider: out of order\n"


def test_every_picture_refused_by_a_server_that_is_there(evaluate, transport, capsys):
    def reply(_request):
        raise ServerError("out of order")

    transport.reply = reply
    status, report = evaluate()
    assert (status, sorted(report["failed"]), report["complete"]) == (1, sorted(NAMES), False)
    assert "no server" not in capsys.readouterr().err


def test_ground_truth_that_is_no_text(evaluate, tmp_path, capsys):
    (tmp_path / "truth.txt").write_bytes(b"\xff\xfe\x00\x80 no text")
    assert evaluate("--ground-truth", str(tmp_path / "truth.txt"))[0] == 2
    assert "line 1: what follows" in capsys.readouterr().err
    assert evaluate("--ground-truth", str(tmp_path / "missing.txt"))[0] == 2
    assert f"{tmp_path / 'missing.txt'} cannot be read: No such file or directory" in capsys.readouterr().err


def test_results_that_lack_something(evaluate, tmp_path, capsys):
    evaluate()
    file = tmp_path / "out" / "detections.jsonl"
    file.write_text(file.read_text().replace('"candidates_dropped"', '"dropped"'))
    assert evaluate()[0] == 2
    assert f"{file} is not a file of results" in capsys.readouterr().err
