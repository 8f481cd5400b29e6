"""`faces detect`, and what the verbs share that are given many pictures: arguments, output, exit status."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from face_client import InvalidInput
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
    assert len(out.splitlines()) == 2
    assert err.splitlines() == [
        f"{missing}: No such file or directory",
        f"{photos / 'words.jpg'}: encoded_image is not a picture in a known format (10 bytes); "
        "it must be JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF, HEIC, JPEG 2000, PBM, PGM or PPM",
    ]


def test_what_the_server_refuses_has_a_line(transport, photos, capsys):
    def refuse(_request):
        raise InvalidInput("factor is 2.0; it must be between 0.1 and 0.95")

    transport.reply = refuse
    assert main(["detect", str(photos / "a.jpg"), "--factor", "2"]) == 1
    sentence = f"{photos / 'a.jpg'}: factor is 2.0; it must be between 0.1 and 0.95"
    assert capsys.readouterr().err == f"{sentence} (request {transport.requests[0].id})\n"


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
    assert main(["detect", "--json", "--in-flight", "1", str(photos)]) == 3
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_interrupted(transport, photos, capsys):
    def reply(_request):
        raise KeyboardInterrupt

    transport.reply = reply
    assert main(["detect", str(photos / "a.jpg")]) == 130
    assert capsys.readouterr().err == ""
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
def test_saving_never_overwrites_a_picture_that_is_read(photos, capsys):
    before = (photos / "a.jpg").read_bytes()
    assert main(["detect", str(photos), "--save", str(photos)]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (photos / "a.jpg").read_bytes() == before


def test_a_folder_without_pictures_is_wrong_usage(tmp_path, capsys):
    assert main(["detect", str(tmp_path)]) == 2
    assert "no pictures" in capsys.readouterr().err


@pytest.mark.usefixtures("transport")
def test_with_rich_a_terminal_gets_a_table_and_a_bar(photos, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(console, "HAS_RICH", True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["detect", str(photos), str(photos / "missing.jpg")]) == 1
    out, err = capsys.readouterr()
    assert "━" in out
    assert "2/3" in err or "3/3" in err
    assert "No such file" in err
