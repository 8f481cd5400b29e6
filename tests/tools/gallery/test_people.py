"""`faces gallery add`, `list`, `remove` and `compact`: arguments, output, exit status."""

import io
import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from face_client.errors import ServerUnavailable
from face_command.main import main
from face_gallery import open_store
from face_tools.pictures import _stdin
from tests.fakes import UNTRAINED

pytestmark = pytest.mark.usefixtures("plain")


def gallery(*arguments) -> int:
    return main(["gallery", *map(str, arguments)])


def enrolled(where) -> dict[str, int]:
    with open_store(where, create=False) as store:
        return {person.name: person.faces for person in store.people()}


def metadata_of(where) -> dict[str, dict]:
    with open_store(where, create=False) as store:
        return {person.name: person.metadata for person in store.people()}


def test_one_person(server, picture_of, where, capsys):
    photos = [picture_of("1.png", 1), picture_of("2.png", 1)]
    assert gallery("add", "Ada", *photos, "--metadata", "site=A", "--metadata", "level=3") == 0
    assert capsys.readouterr().out == "person\tcollection\tfaces\trefused\nAda\tdefault\t2\t0\n"
    with open_store(where) as store:
        (person,) = store.people()
        assert (person.name, person.faces, person.metadata) == ("Ada", 2, {"site": "A", "level": 3})
        (first, _) = store.faces()
        assert Image.open(io.BytesIO(first.crop)).size == (160, 160)
        assert first.details["image"] == photos[0]
    assert "faces" in server.requests[0].outputs


@pytest.mark.usefixtures("server")
def test_without_pictures_of_the_faces(picture_of, where):
    assert gallery("add", "Ada", picture_of("1.png", 1), "--no-crops") == 0
    with open_store(where) as store:
        assert [face.crop for face in store.faces()] == [None]


@pytest.mark.usefixtures("server")
def test_a_folder_of_people(picture_of, where, tmp_path, capsys):
    for name, person in (("Ada/1.png", 1), ("Ada/more/2.png", 1), ("Bo/1.png", 2)):
        picture_of(f"staff/{name}", person)
    stray = picture_of("staff/stray.png", 3)
    assert gallery("add", "--people", tmp_path / "staff", "--json") == 0
    told = capsys.readouterr()
    assert told.err == f"{stray}: left out (not in the folder of a person)\n"
    rows = [json.loads(line) for line in told.out.splitlines()]
    assert [(row["person"], len(row["faces"]), row["refused"]) for row in rows] == [("Ada", 2, []), ("Bo", 1, [])]
    assert enrolled(where) == {"Ada": 2, "Bo": 1}


@pytest.mark.usefixtures("where")
def test_what_is_enrolled_already_is_passed_over(server, picture_of, tmp_path, capsys):
    picture_of("staff/Ada/1.png", 1)
    assert gallery("add", "--people", tmp_path / "staff") == 0
    picture_of("staff/Ada/2.png", 1)
    capsys.readouterr()
    server.requests.clear()
    assert gallery("add", "--people", tmp_path / "staff") == 0
    told = capsys.readouterr()
    assert "1 of 2 pictures are enrolled already" in told.err
    assert told.out.splitlines()[1] == "Ada\tdefault\t1\t0"
    assert len(server.requests) == 1
    assert gallery("add", "--people", tmp_path / "staff") == 0
    assert gallery("add", "Ada", tmp_path / "staff/Ada/1.png", "--collection", "guests") == 0


@pytest.mark.usefixtures("server")
def test_metadata_comes_to_what_is_known(picture_of, where, tmp_path, capsys):
    """Whether a picture is new, enrolled already or refused: nothing that is known is lost."""
    photo = picture_of("staff/Ada/1.png", 1)
    assert gallery("add", "Ada", photo, "--metadata", "consent=17", "--metadata", "site=A") == 0
    assert gallery("add", "Ada", photo, "--metadata", "site=B") == 0
    told = capsys.readouterr().err.splitlines()
    assert told == ["1 of 1 pictures are enrolled already", "--metadata is kept for Ada"]
    assert metadata_of(where) == {"Ada": {"consent": 17, "site": "B"}}
    picture_of("staff/Ada/2.png", 1)
    picture_of("staff/Bo/1.png", 2)
    assert gallery("add", "--people", tmp_path / "staff", "--metadata", "level=3") == 0
    assert metadata_of(where) == {"Ada": {"consent": 17, "site": "B", "level": 3}, "Bo": {"level": 3}}
    picture_of("staff/Ada/3.png")
    assert gallery("add", "--people", tmp_path / "staff", "--metadata", "level=4") == 1
    assert metadata_of(where) == {"Ada": {"consent": 17, "site": "B", "level": 4}, "Bo": {"level": 4}}


@pytest.mark.usefixtures("server")
def test_another_picture_from_stdin_is_another(picture_of, where, monkeypatch):
    for name in ("1.png", "2.png"):
        data = io.BytesIO(Path(picture_of(name, 1)).read_bytes())
        monkeypatch.setattr(sys, "stdin", type("Stdin", (), {"buffer": data}))
        _stdin.cache_clear()
        assert gallery("add", "Ada", "-") == 0
    _stdin.cache_clear()
    assert enrolled(where) == {"Ada": 2}


@pytest.mark.usefixtures("server")
def test_a_name_is_the_same_however_it_was_typed(picture_of, where, capsys):
    photo = picture_of("1.png", 1)
    assert gallery("add", "Jose\u0301", photo) == gallery("add", "José", photo) == 0
    assert "1 of 1 pictures are enrolled already" in capsys.readouterr().err
    assert gallery("add", "Jose\u0301", photo) == 0
    assert enrolled(where) == {"José": 1}


@pytest.mark.usefixtures("server")
def test_each_refused_picture_has_a_line_and_loses_no_other(picture_of, where, tmp_path, capsys):
    picture_of("staff/Ada/1.png", 1)
    nobody = picture_of("staff/Ada/2.png")
    two = picture_of("staff/Ada/3.png", 1, 2)
    small = picture_of("staff/Ada/4.png", 1, small=True)
    like = picture_of("staff/Bo/1.png", 1)
    (tmp_path / "staff/Bo/2.png").write_bytes(b"no picture")
    assert gallery("add", "--people", tmp_path / "staff", "--in-flight", "1") == 1
    told = capsys.readouterr()
    lines = told.err.splitlines()
    not_enrolled = "the face is not enrolled:"
    assert lines[0] == f"{nobody}: no face was found in the picture"
    assert lines[1] == f"{two}: {not_enrolled} the picture shows 2 faces, and should show one"
    assert lines[2].startswith(f"{small}: {not_enrolled} it is 20 pixels large, and should be 40 or more; its eyes are")
    assert lines[3] == f"{like}: {not_enrolled} it looks like 'Ada' (distance 0.00, below 1.10)"
    assert lines[4].startswith(f"{tmp_path / 'staff/Bo/2.png'}: encoded_image")
    assert len(lines) == 5
    assert told.out.splitlines()[1:] == ["Ada\tdefault\t1\t3", "Bo\tdefault\t0\t2"]
    assert enrolled(where) == {"Ada": 1}


@pytest.mark.usefixtures("server")
def test_forced_all_are_enrolled(picture_of, where):
    photos = [picture_of("2.png", 1, 2), picture_of("3.png", 1, small=True)]
    assert gallery("add", "Ada", *photos, "--force") == 0
    assert gallery("add", "Bo", photos[0], "--force") == 0
    assert enrolled(where) == {"Ada": 2, "Bo": 1}


@pytest.mark.usefixtures("server")
def test_an_option_between_name_and_picture(picture_of, where, capsys):
    """Newer Pythons than 3.11 may take it."""
    with suppress(SystemExit):
        gallery("add", "Ada", "--force", picture_of("1.png", 1))
    said = "names and paths must follow one another, with all options before or behind them\n"
    assert capsys.readouterr().err.endswith(said) or enrolled(where) == {"Ada": 1}


@pytest.mark.usefixtures("server")
def test_the_limits_are_options(picture_of, where):
    photo = picture_of("1.png", 1, small=True)
    assert gallery("add", "Ada", photo, "--min-size", "20", "--min-eyes", "8") == 0
    assert enrolled(where) == {"Ada": 1}


def test_who_is_complete_before_ctrl_c_is_enrolled_and_nobody_else(
    server, picture_of, where, tmp_path, monkeypatch, capsys
):
    for name, person in (("Ada", 1), ("Bo", 2)):
        for number in range(2):
            picture_of(f"staff/{name}/{number}.png", person)
    own = server.reply

    def reply(request):
        if len(server.requests) > 3:
            raise KeyboardInterrupt
        return own(request)

    add = ["add", "--people", tmp_path / "staff", "--in-flight", "1"]
    monkeypatch.setattr(server, "reply", reply)
    assert gallery(*add) == 130
    assert enrolled(where) == {"Ada": 2}
    assert "not enrolled, as it ended before their last picture: Bo" in capsys.readouterr().err
    monkeypatch.setattr(server, "reply", own)
    assert gallery(*add) == 0
    assert enrolled(where) == {"Ada": 2, "Bo": 2}


@pytest.mark.usefixtures("where")
def test_a_missing_server_is_told_before_refused_pictures(server, picture_of, monkeypatch):
    photos = [picture_of("1.png"), picture_of("2.png", 1)]
    own = server.reply

    def reply(request):
        if len(server.requests) > 1:
            server.ready = False
            raise ServerUnavailable("gone")
        return own(request)

    monkeypatch.setattr(server, "reply", reply)
    assert gallery("add", "Ada", *photos, "--in-flight", "1", "--retries", "0") == 3


@pytest.mark.usefixtures("server")
def test_a_name_that_is_a_picture_or_a_folder_was_forgotten(picture_of, where, capsys):
    for path in ("1.png", "2.png", "Ada/1.png"):
        picture_of(path, 1)
    assert gallery("add", "1.png", "2.png") == 2
    assert "'1.png' is taken for the name, and is a file here: write `faces gallery add NAME 1.png 2.png`" in (
        capsys.readouterr().err
    )
    assert gallery("add", "Ada", "1.png", "2.png") == 2
    assert "and is a folder here: write `faces gallery add NAME Ada 1.png …`" in capsys.readouterr().err
    assert not where.exists()
    assert gallery("add", "Ada", "Ada/1.png") == 0
    assert gallery("add", "Ada", "Ada/") == 0
    assert enrolled(where) == {"Ada": 1}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add"], "give a person's name and pictures, or --people FOLDER"),
        (["add", "a.png"], "or --people FOLDER ('a.png' is taken for the name)"),
        (["add", "Ada", "--people", "."], "the name 'Ada' and --people were given; give one of them"),
        (["add", "--people", "nowhere"], "--people is nowhere, which is no folder"),
        (["add", " Ada", "a.png"], "person is ' Ada'"),
        (["add", "Ada", "a.png", "--collection", ""], "collection is ''"),
        (["add", "Ada", "a.png", "--store", ""], "--store is empty"),
        (["add", "Ada", "a.png", "--metadata", "a=1", "--metadata", "a=2"], "'a' is given twice, with 1 and 2"),
        (["add", "Ada", "a.png", "--force", "--max-yaw", "20"], "--max-yaw is of no use with --force"),
        (["identify", "a.png", "--min-size", "60"], "--min-size is of no use without --quality"),
        (["calibrate", "--forget", "--rate", "0.1"], "--rate is of no use with --forget"),
        (["calibrate", "--margin", "5"], "--margin is of no use without --folder"),
        (["calibrate", "--collection", "staff"], "--collection is of no use without --folder"),
        (["remove", "Ada"], "people.gallery is not there"),
        (["list", "--sheet", "a.jpg"], "--sheet is a.jpg; it must end in .png"),
    ],
)
def test_wrong_usage_is_one_sentence_and_makes_no_gallery(server, where, capsys, arguments, sentence):
    assert gallery(*arguments) in (1, 2)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"faces gallery {arguments[0]}: ")
    assert sentence in line
    assert not where.exists()
    assert server.requests == []


@pytest.mark.parametrize("text", ["site", "=A"])
def test_what_is_no_key_and_value(text, capsys):
    with pytest.raises(SystemExit):
        gallery("list", "--where", text)
    assert f"argument --where: {text!r} is not of the form KEY=VALUE" in capsys.readouterr().err


@pytest.mark.usefixtures("where")
def test_random_weights_enrol_nobody(server, picture_of, capsys):
    server.weights = UNTRAINED
    photo = picture_of("1.png", 1)
    assert gallery("add", "Ada", photo) == 3
    assert "has random weights" in capsys.readouterr().err
    assert gallery("add", "Ada", photo, "--random-weights") == 0
    assert "WARNING" in capsys.readouterr().err


@pytest.fixture
def ada_and_bo(server, picture_of, where):
    assert gallery("add", "Ada", picture_of("1.png", 1), picture_of("2.png", 1), "--metadata", "site=A") == 0
    assert gallery("add", "Bo", picture_of("3.png", 2), "--metadata", "site=B") == 0
    server.requests.clear()
    return where


@pytest.mark.usefixtures("ada_and_bo")
@pytest.mark.parametrize(
    ("arguments", "status"), [(["list"], 0), (["identify", "1.png"], 0), (["verify", "Ada", "1.png"], 2)]
)
def test_a_collection_that_is_not_there_is_said(capsys, arguments, status):
    capsys.readouterr()
    assert gallery(*arguments, "--collection", "defualt") == status
    first, *_ = capsys.readouterr().err.splitlines()
    assert first == "nobody is in collection 'defualt' of people.gallery; there are default"


def test_list(ada_and_bo, server, capsys):
    capsys.readouterr()
    assert gallery("list") == 0
    told = capsys.readouterr()
    rows = [line.split("\t") for line in told.out.splitlines()]
    assert [[row[0], row[2], row[4]] for row in rows[1:]] == [["Ada", "2", 'site="A"'], ["Bo", "1", 'site="B"']]
    assert told.err.startswith("2 people in people.gallery; 3 faces embedded by trained.pt (0f0f0f0f0f0f)")
    assert gallery("list", "--json", "--where", "site=B", "--store", ada_and_bo) == 0
    (document,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (document["person"], document["faces"], document["metadata"]) == ("Bo", 1, {"site": "B"})
    assert gallery("list", "--json", "--collection", "guests") == 0
    assert capsys.readouterr().out == ""
    assert server.requests == []


def test_all_faces_on_a_sheet(ada_and_bo, tmp_path, capsys):
    sheet = tmp_path / "people.png"
    assert gallery("list", "--sheet", sheet) == gallery("list", "--sheet", sheet) == 0
    assert Image.open(sheet).size == (1048, 2 * 142 + 8)
    assert sheet.stat().st_mode & 0o777 == 0o600
    sheet.write_bytes(b"mine")
    assert gallery("list", "--sheet", sheet) == 2
    assert gallery("list", "--sheet", ada_and_bo.rename(tmp_path / "a.png"), "--store", tmp_path / "a.png") == 2
    assert "which is read" in capsys.readouterr().err


def test_removed_people_are_erased_and_it_is_said(ada_and_bo, capsys):
    capsys.readouterr()
    assert gallery("remove", "Ada") == 2
    assert "give --yes to erase; nothing was erased" in capsys.readouterr().err
    assert gallery("remove", "Ada", "Cy", "--yes") == 2
    assert "nobody is enrolled as 'Cy' in collection 'default'" in capsys.readouterr().err
    assert enrolled(ada_and_bo) == {"Ada": 2, "Bo": 1}
    assert gallery("remove", "Ada", "Ada", "--yes") == 0
    assert capsys.readouterr().out == "erased: Ada of collection default, 2 faces\n"
    assert enrolled(ada_and_bo) == {"Bo": 1}


@pytest.mark.parametrize(("said", "status", "left"), [("y\n", 0, {"Bo": 1}), ("\n", 1, {"Ada": 2, "Bo": 1})])
def test_a_person_is_asked(ada_and_bo, monkeypatch, capsys, said, status, left):
    terminal = io.StringIO(said)
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)
    assert gallery("remove", "Ada") == status
    assert "Erase Ada (2 faces)? There is no way back. [y/N]" in capsys.readouterr().err
    assert enrolled(ada_and_bo) == left


def test_compacted_it_is_the_same(ada_and_bo, capsys):
    assert gallery("remove", "Ada", "--yes") == 0
    capsys.readouterr()
    assert gallery("compact") == 0
    assert "bytes before" in capsys.readouterr().out
    assert enrolled(ada_and_bo) == {"Bo": 1}


def test_help_does_not_show_a_password(monkeypatch, capsys):
    monkeypatch.setenv("TRITON_FACES_GALLERY", "postgresql://ada:secret@host/faces")
    with pytest.raises(SystemExit):
        gallery("list", "--help")
    assert "secret" not in capsys.readouterr().out


@pytest.mark.usefixtures("ada_and_bo")
def test_the_variable_names_another_gallery(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRITON_FACES_GALLERY", str(tmp_path / "other.gallery"))
    assert gallery("list") == 1
    assert "other.gallery is not there; `faces gallery add` makes a gallery" in capsys.readouterr().err
