"""`faces detect`, and what the verbs share that are given many pictures: arguments, output, exit status."""

import io
import json
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from face_client import InvalidInput, ServerUnavailable
from face_command import console
from face_command.main import main

pytestmark = pytest.mark.usefixtures("plain")


def test_a_table_of_tabs(transport, photos, capsys):
    assert main(["detect", str(photos / "a.jpg")]) == 0
    out, err = capsys.readouterr()
    path = photos / "a.jpg"
    assert out == f"image\tfaces\tbox\tprobability\n{path}\t1\t0.0 10.0 20.0 40.0\t0.9000\n"
    assert err == ""
    assert transport.closed


def test_a_picture_without_faces_has_a_row(transport, make_answer, photos, capsys):
    transport.reply = lambda _request: make_answer(0)
    assert main(["detect", str(photos / "a.jpg")]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"{photos / 'a.jpg'}\t0\t\t"


@pytest.mark.usefixtures("transport")
def test_json_is_one_object_a_line_and_folders_are_searched(photos, capsys):
    assert main(["detect", "--json", str(photos)]) == 0
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [document["image"] for document in documents] == [
        str(photos / "a.jpg"),
        str(photos / "below" / "b.PNG"),
    ]
    assert list(documents[0]) == ["image", "width", "height", "faces"]
    assert documents[0]["width"] == 40
    assert list(documents[0]["faces"][0]) == ["box", "probability", "landmarks"]


def test_parameters_reach_the_server(transport, photos):
    arguments = [
        "--min-face-size",
        "12",
        "--threshold-onet",
        "0.9",
        "--selection",
        "largest",
        "--max-faces",
        "3",
    ]
    assert main(["detect", str(photos / "a.jpg"), *arguments]) == 0
    assert transport.requests[0].parameters == {
        "min_face_size": 12,
        "threshold_onet": 0.9,
        "selection": "largest",
        "max_faces": 3,
    }


@pytest.mark.usefixtures("transport")
def test_what_cannot_be_read_has_a_line_and_the_others_go_on(photos, capsys):
    (photos / "words.jpg").write_text("no picture")
    missing = photos / "missing.jpg"
    assert main(["detect", "--json", str(missing), str(photos)]) == 1
    out, err = capsys.readouterr()
    known = "JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF, HEIC, JPEG 2000, PBM, PGM or PPM"
    no_picture = f"encoded_image is not a picture in a known format (10 bytes); it must be {known}"
    assert err.splitlines() == [
        f"{missing}: No such file or directory",
        f"{photos / 'words.jpg'}: {no_picture}",
    ]
    documents = [json.loads(line) for line in out.splitlines()]
    assert ["faces" in document for document in documents] == [False, True, False, True]
    assert documents[0] == {
        "image": str(missing),
        "error": {"type": "FileNotFoundError", "message": "No such file or directory"},
    }
    assert documents[2]["error"] == {"type": "InvalidImage", "message": no_picture}


def test_what_the_server_refuses_has_a_line(transport, photos, capsys):
    def refuse(_request):
        raise InvalidInput("it does not like this one")

    transport.reply = refuse
    assert main(["detect", str(photos / "a.jpg")]) == 1
    sentence = f"{photos / 'a.jpg'}: it does not like this one"
    assert capsys.readouterr().err == f"{sentence} (request {transport.requests[0].id})\n"


def test_a_parameter_that_the_server_refuses_is_told_once(transport, photos, capsys):
    def refuse(_request):
        raise InvalidInput("factor is 2.0; it must be between 0.1 and 0.95")

    transport.reply = refuse
    assert main(["detect", str(photos), "--factor", "2"]) == 2
    assert capsys.readouterr() == ("", "faces detect: factor is 2.0; it must be between 0.1 and 0.95\n")
    assert len(transport.requests) == 1


def test_dropped_candidates_are_told(transport, make_answer, photos, capsys):
    transport.reply = lambda _request: make_answer(1, candidates_dropped=5)
    assert main(["detect", str(photos / "a.jpg")]) == 0
    assert "dropped 5 candidates" in capsys.readouterr().err


def test_no_server(transport, photos, capsys):
    transport.ready = False
    assert main(["detect", str(photos), "--url", "127.0.0.1:9"]) == 3
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "127.0.0.1:9" in err
    assert "faces serve" in err


@pytest.mark.slow
@pytest.mark.usefixtures("transport")
def test_a_server_that_goes_away(goes_away, photos, capsys):
    goes_away(1)
    assert main(["detect", "--json", "--in-flight", "1", "--retries", "1", str(photos)]) == 3
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_interrupted(transport, photos, capsys):
    def reply(_request):
        raise KeyboardInterrupt

    transport.reply = reply
    assert main(["detect", str(photos / "a.jpg")]) == 130
    assert capsys.readouterr().err == "interrupted: 0 of 1 pictures were answered\n"
    assert transport.closed


@pytest.mark.usefixtures("transport")
def test_copies_are_saved_with_the_faces_drawn(photos, tmp_path, picture):
    assert main(["detect", str(photos), "--save", str(tmp_path / "found")]) == 0
    for name in ("a.jpg", "below/b.PNG"):
        with Image.open(tmp_path / "found" / name) as copy:
            assert copy.size == (40, 30)
            assert np.abs(np.asarray(copy).astype(int) - picture).mean() > 5


@pytest.mark.usefixtures("transport")
def test_pictures_of_one_name_are_saved_side_by_side(photos, tmp_path, picture, encode):
    (photos / "below" / "a.jpg").write_bytes(encode(picture, "JPEG"))
    (photos / "c.gif").write_bytes(encode(picture, "GIF"))
    paths = [str(photos / "a.jpg"), str(photos / "below" / "a.jpg"), str(photos / "c.gif")]
    assert main(["detect", *paths, "--save", str(tmp_path / "found")]) == 0
    saved = sorted(path.name for path in (tmp_path / "found").iterdir())
    assert saved == ["a-2.jpg", "a.jpg", "c.gif.png"]


@pytest.mark.usefixtures("transport")
def test_copies_of_an_earlier_run_are_replaced_and_no_other_file(photos, tmp_path, picture, encode, capsys):
    arguments = ["detect", str(photos), "--save", str(tmp_path / "found")]
    assert main(arguments) == main(arguments) == 0
    somebodys = tmp_path / "found" / "a.jpg"
    somebodys.write_bytes(encode(picture, "JPEG"))
    before = somebodys.read_bytes()
    assert main(arguments) == 2
    assert f"--save would overwrite {somebodys}" in capsys.readouterr().err
    assert somebodys.read_bytes() == before
    assert main([*arguments, "--force"]) == 0
    assert somebodys.read_bytes() != before


def test_a_folder_that_cannot_be_written_to_is_told_before_the_work(transport, photos, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["detect", str(photos), "--save", str(tmp_path / "file" / "found")]) == 2
    assert str(tmp_path / "file" / "found") in capsys.readouterr().err
    assert transport.requests == []


def test_a_copy_that_cannot_be_written_is_no_fault_of_the_picture(transport, photos, tmp_path, make_answer, capsys):
    def reply(_request):
        # The disk is full, the folder was taken away: after the check.
        (tmp_path / "found").touch()
        return make_answer()

    transport.reply = reply
    assert main(["detect", str(photos / "a.jpg"), "--json", "--save", str(tmp_path / "found")]) == 1
    out, err = capsys.readouterr()
    assert err == f"{tmp_path / 'found' / 'a.jpg'} cannot be written: File exists\n"
    assert "faces" in json.loads(out)


def test_a_picture_on_stdin(transport, picture, encode, tmp_path, monkeypatch, capsys):
    data = encode(picture, "PNG")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["detect", "-", "--json", "--save", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["image"] == "-"
    assert transport.requests[0].inputs["encoded_image"][0, 0] == data
    with Image.open(tmp_path / "stdin.png") as copy:
        assert copy.size == (40, 30)


def test_a_run_goes_on_from_the_lines_of_an_earlier_one(transport, photos, tmp_path, capsys):
    (photos / "words.jpg").write_text("no picture")
    assert main(["detect", str(photos), "--json"]) == 1
    lines = capsys.readouterr().out.splitlines(keepends=True)
    earlier = tmp_path / "earlier.jsonl"
    # The last line was cut off; the one before is of a picture that failed.
    earlier.write_text(lines[0] + lines[1] + lines[2][:30])
    before = len(transport.requests)
    assert main(["detect", str(photos), "--json", "--resume", str(earlier)]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["image"] for line in out.splitlines()] == [
        str(photos / "words.jpg"),
        str(photos / "below" / "b.PNG"),
    ]
    assert err.startswith(f"1 of 3 pictures are in {earlier} already\n")
    assert len(transport.requests) == before + 1
    earlier.write_text("".join(lines).replace(', "error"', ', "faces": [], "was"'))
    transport.ready = False
    assert main(["detect", str(photos), "--resume", str(earlier)]) == 0


@pytest.mark.usefixtures("transport")
@pytest.mark.parametrize("content", ["image\tfaces\n", "[1]\n", '{"faces": []}\n', None])
def test_what_is_no_file_of_answers_is_refused(photos, tmp_path, content, capsys):
    earlier = tmp_path / "earlier.jsonl"
    if content is not None:
        earlier.write_text(content)
    assert main(["detect", str(photos), "--resume", str(earlier)]) == 2
    assert f"{earlier}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_server_that_is_away_is_waited_for(transport, make_answer, photos, capsys):
    def reply(_request):
        if len(transport.requests) == 1:
            transport.ready = False
            threading.Timer(0.5, come_back).start()
            raise ServerUnavailable("connection refused")
        return make_answer()

    def come_back():
        transport.ready = True

    transport.reply = reply
    transport.ready = False
    threading.Timer(0.5, come_back).start()
    assert main(["detect", str(photos), "--in-flight", "1", "--retries", "0", "--wait", "20"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.usefixtures("transport")
def test_saving_never_overwrites_a_picture_that_is_read(photos, capsys):
    before = (photos / "a.jpg").read_bytes()
    assert main(["detect", str(photos), "--save", str(photos)]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == before


def test_a_folder_without_pictures_is_wrong_usage(tmp_path, capsys):
    assert main(["detect", str(tmp_path)]) == 2
    assert "no pictures" in capsys.readouterr().err


@pytest.mark.usefixtures("transport")
def test_with_rich_a_terminal_gets_a_bar_and_rows_above_it(photos, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(console, "HAS_RICH", True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["detect", str(photos), str(photos / "missing.jpg")]) == 1
    out, err = capsys.readouterr()
    # The bar's terminal is that of stderr here; a real one has both.
    assert "a.jpg  1      0.0 10.0 20.0 40.0" in (out + err)
    assert "2/3" in err or "3/3" in err
    assert "No such file" in err
