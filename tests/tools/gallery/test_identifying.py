"""`faces gallery identify` and `verify`: arguments, output, exit status."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from face_command.main import main
from face_gallery import Register, open_store
from face_tools.pictures import _stdin
from tests.fakes import TRAINED, UNTRAINED
from tests.gallery.people import OTHERS

pytestmark = pytest.mark.usefixtures("plain")


def gallery(*arguments) -> int:
    return main(["gallery", *map(str, arguments)])


@pytest.fixture(autouse=True)
def people(server, picture_of, where, capsys):
    assert gallery("add", "Ada", picture_of("a.png", 1), "--metadata", "site=A") == 0
    assert gallery("add", "Bo", picture_of("b.png", 2), "--metadata", "site=B") == 0
    server.requests.clear()
    capsys.readouterr()
    return where


def test_a_line_a_face(picture_of, capsys):
    party, empty = picture_of("party.png", 2, 7), picture_of("empty.png")
    assert gallery("identify", party, empty) == 0
    told = capsys.readouterr()
    rows = [line.split("\t") for line in told.out.splitlines()]
    assert rows[0] == ["image", "box", "person", "distance", "margin"]
    assert rows[1][:4] == [party, "0.0 0.0 100.0 100.0", "Bo", "0.000"]
    assert float(rows[1][4]) > 1
    assert rows[2][2] == "(unknown)"
    assert rows[3] == [empty, "", "", "", ""]
    assert told.err == (
        "the threshold is a distance of 1.100, the literature's; `faces gallery calibrate` finds one for these people\n"
    )


def test_json_is_an_object_a_picture(picture_of, tmp_path, capsys):
    party = picture_of("party.png", 2, 7)
    (tmp_path / "none.png").write_bytes(b"none")
    assert gallery("identify", party, tmp_path / "none.png", "--json", "--top", "1") == 1
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["image"] == party
    assert [face["person"] for face in first["faces"]] == ["Bo", None]
    assert [len(face["candidates"]) for face in first["faces"]] == [1, 1]
    assert first["faces"][0]["threshold"] == {"distance": 1.1, "source": "literature"}
    assert second["error"]["type"] == "InvalidImage"


def test_only_some_are_asked_about(picture_of, capsys):
    photo = picture_of("photo.png", 2)
    assert gallery("identify", photo, "--where", "site=A") == 0
    assert "(unknown)" in capsys.readouterr().out
    assert gallery("identify", photo, "--collection", "guests") == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t")[2:] == ["(unknown)", "", ""]
    assert gallery("identify", photo, "--threshold", "1.9", "--where", "site=A") == 0
    told = capsys.readouterr()
    assert "Ada" in told.out
    assert told.err == "the threshold is a distance of 1.900, as it was given\n"


def test_a_calibrated_threshold_says_what_it_is_worth(people, picture_of, capsys):
    with open_store(people) as store:
        told = {"distance": 0.9, "false_match_rate": 0.001, "interval": [0.0005, 0.002], "people": 2}
        store.calibrate(TRAINED.sha256, told)
    assert gallery("identify", picture_of("photo.png", 2)) == 0
    assert capsys.readouterr().err == (
        "the threshold is a distance of 0.900, calibrated: 0.10% (0.05% to 0.20%) of strangers are taken for somebody "
        "of 2 people\n"
    )


def test_faces_that_are_too_poor_are_not_told(picture_of, capsys):
    photo = picture_of("photo.png", 1, small=True)
    assert gallery("identify", photo) == 0
    assert "Ada" in capsys.readouterr().out
    assert gallery("identify", photo, "--quality") == 0
    told = capsys.readouterr()
    assert "(not good enough)" in told.out
    assert f"{photo}: face 1 is not good enough: it is 20 pixels large, and should be 40 or more" in told.err
    assert gallery("identify", photo, "--quality", "--json") == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert face["person"] is None
    assert face["refusals"][0] == "it is 20 pixels large, and should be 40 or more"
    assert face["candidates"][0]["person"] == "Ada"
    assert gallery("identify", photo, "--quality", "--min-size", "10", "--min-eyes", "5") == 0
    assert "Ada" in capsys.readouterr().out


def test_copies_and_a_sheet(picture_of, tmp_path, capsys):
    party = picture_of("party.png", 2, 7)
    copies, sheet = tmp_path / "named", tmp_path / "sheet.png"
    arguments = ["identify", party, "--save", copies, "--sheet", sheet]
    assert gallery(*arguments) == gallery(*arguments) == 0
    assert Image.open(copies / "party.png").size == (250, 120)
    assert (np.asarray(Image.open(copies / "party.png")) != np.asarray(Image.open(party))).any()
    assert Image.open(sheet).size == (1048, 2 * 142 + 8)
    sheet.write_bytes(b"mine")
    assert gallery(*arguments) == 2
    assert gallery(*arguments[:2], "--sheet", "sheet.jpg") == 2
    assert gallery(*arguments[:2], "--sheet", party, "--force") == 2
    assert "which is read" in capsys.readouterr().err


def test_another_network_is_refused_with_what_to_do(server, picture_of, capsys):
    server.weights = OTHERS
    assert gallery("identify", picture_of("photo.png", 2), picture_of("more.png", 1)) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "embedded by trained.pt" in line
    assert line.endswith("run `faces gallery reindex`")
    server.weights = UNTRAINED
    assert gallery("identify", picture_of("photo.png", 2)) == 3


def test_an_empty_gallery_knows_nobody(people, picture_of, capsys):
    with open_store(people) as store:
        for name in ("Ada", "Bo"):
            Register(store).remove(name, "default")
    assert gallery("identify", picture_of("photo.png", 2)) == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t")[2:] == ["(unknown)", "", ""]


def test_verify(picture_of, capsys):
    photo = picture_of("photo.png", 2)
    assert gallery("verify", "Bo", photo) == 0
    assert capsys.readouterr().out == "person\tdistance\tcosine\tverdict\nBo\t0.000\t1.000\tthe same person\n"
    assert gallery("verify", "Ada", photo, "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["image"], document["person"], document["same"]) == (photo, "Ada", False)


def test_verify_what_comes_on_stdin(picture_of, monkeypatch):
    _stdin.cache_clear()
    data = io.BytesIO(Path(picture_of("photo.png", 2)).read_bytes())
    monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": data}))
    assert gallery("verify", "Bo", "-") == 0
    _stdin.cache_clear()


@pytest.mark.parametrize("name", ["Cy", " Ada"])
def test_verify_nobody(server, picture_of, capsys, name):
    assert gallery("verify", name, picture_of("photo.png", 2)) == 2
    assert name in capsys.readouterr().err
    assert server.requests == []


def test_verify_without_a_face_or_a_picture(picture_of, tmp_path, capsys):
    empty = picture_of("empty.png")
    assert gallery("verify", "Ada", empty) == 2
    assert capsys.readouterr().err == f"faces gallery verify: {empty}: no face was found\n"
    assert gallery("verify", "Ada", tmp_path / "nowhere.png") == 2
    assert f"{tmp_path / 'nowhere.png'}: No such file" in capsys.readouterr().err


def test_no_server(server, picture_of, capsys):
    server.ready = False
    for arguments in (["identify"], ["verify", "Ada"], ["add", "Cy"]):
        assert gallery(*arguments, picture_of("photo.png", 2)) == 3
        assert "no server with model" in capsys.readouterr().err
