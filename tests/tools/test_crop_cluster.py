"""`faces crop` and `faces cluster`: arguments, files, output, exit status."""

import json

import numpy as np
import pytest
from PIL import Image

from face_command.main import main

pytestmark = pytest.mark.usefixtures("plain")


@pytest.fixture
def faces(command_transport, make_answer):
    """faces(2, 0, …): so many faces in the pictures, in the order in which they are asked about."""

    def answer_with(*counts):
        left = list(counts)

        def reply(request):
            # Pixels: the blank picture that parameters are tried on.
            response = make_answer(0 if "image" in request.inputs else left.pop(0))
            for number, crop in enumerate(response.outputs["faces"][0]):
                crop[:] = 100 + number
            return response

        command_transport.reply = reply
        return command_transport

    return answer_with


@pytest.fixture
def folder(tmp_path, picture, encode):
    """in/a.png, in/b.png, in/sub/a.png and in/sub/a.jpg."""
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    for name, kind in (("a.png", "PNG"), ("b.png", "PNG"), ("sub/a.jpg", "JPEG"), ("sub/a.png", "PNG")):
        (root / name).write_bytes(encode(picture, kind))
    return root


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_crops_are_saved_in_the_same_folders(faces, folder, tmp_path, capsys):
    transport = faces(2, 0, 1, 1)
    out = tmp_path / "out"
    assert main(["crop", str(folder), str(out), "--in-flight", "1", "--margin", "7", "--align"]) == 0
    assert files_in(out) == ["a_1.png", "a_2.png", "sub/a-2_1.png", "sub/a_1.png"]
    assert (np.asarray(Image.open(out / "a_2.png")) == 101).all()
    assert transport.requests[0].parameters == {"margin": 7, "align": True}
    assert "faces" in transport.requests[0].outputs
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"{folder / 'a.png'}\t{out / 'a_1.png'}\t0.9000"
    assert lines[3] == f"{folder / 'b.png'}\tno face\t"


def test_other_formats(faces, folder, tmp_path):
    faces(1)
    assert main(["crop", str(folder / "a.png"), str(tmp_path / "new" / "out"), "--format", "jpg"]) == 0
    with Image.open(tmp_path / "new" / "out" / "a_1.jpg") as crop:
        assert (crop.format, crop.size) == ("JPEG", (160, 160))


def test_no_picture_is_overwritten(faces, folder, encode, picture, capsys):
    transport = faces()
    original = encode(picture, "PNG")
    (folder / "a_1.png").write_bytes(original)
    paths = [str(folder / "a.png"), str(folder / "a_1.png")]
    assert main(["crop", *paths, str(folder), "--force"]) == 2
    assert "would overwrite" in capsys.readouterr().err
    assert (folder / "a_1.png").read_bytes() == original
    assert transport.requests == []


def test_crops_of_the_same_picture_are_replaced_and_those_of_another_are_not(faces, folder, tmp_path, capsys):
    out = tmp_path / "out"
    faces(2, 2, 1, 1, 2)
    arguments = ["crop", str(folder / "a.png"), str(out)]
    assert main(arguments) == main([*arguments, "--margin", "7"]) == 0
    another = folder / "sub" / "a.png"
    Image.new("RGB", (40, 30)).save(another)
    assert main(["crop", str(another), str(out)]) == 2
    assert f"OUT would overwrite {out / 'a_1.png'}" in capsys.readouterr().err
    assert main(["crop", str(another), str(out), "--format", "jpg"]) == 0
    assert main(["crop", str(another), str(out), "--force"]) == 0
    assert main(arguments) == 2


def test_only_crops_that_were_written_are_listed(faces, folder, tmp_path, capsys):
    transport = faces(2)
    out, reply = tmp_path / "out", transport.reply

    def with_a_folder_in_the_way(request):
        (out / "a_2.png").mkdir(parents=True)
        return reply(request)

    transport.reply = with_a_folder_in_the_way
    assert main(["crop", str(folder / "a.png"), str(out)]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines()[1:] == [f"{folder / 'a.png'}\t{out / 'a_1.png'}\t0.9000"]
    assert told.err == f"{out / 'a_2.png'} cannot be written: Is a directory\n"


def test_a_sheet_is_replaced_and_no_other_file(faces, folder, tmp_path, encode, picture, capsys):
    faces(*[1] * 6)
    sheet, numbers = tmp_path / "people.png", tmp_path / "people.json"
    arguments = ["cluster", str(folder / "a.png"), "--sheet", str(sheet)]
    assert main(arguments) == main(arguments) == 0
    for file, content in ((sheet, encode(picture, "PNG")), (numbers, b'{"mine": 1}')):
        file.write_bytes(content)
        assert main(arguments) == 2
        assert f"--sheet would overwrite {file}" in capsys.readouterr().err
        assert file.read_bytes() == content
        assert main([*arguments, "--force"]) == 0


def test_a_picture_that_cannot_be_read_is_named(faces, folder, tmp_path, capsys):
    faces(1)
    (folder / "b.png").write_bytes(b"no picture")
    assert main(["crop", str(folder / "a.png"), str(folder / "b.png"), str(tmp_path / "out")]) == 1
    assert "b.png: encoded_image" in capsys.readouterr().err


def test_a_sheet_and_its_numbers(faces, folder, tmp_path, capsys):
    faces(2, 0, 1, 3)
    sheet = tmp_path / "new" / "people.png"
    assert main(["cluster", str(folder), "--sheet", str(sheet), "--in-flight", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "cluster\tfaces\tpictures",
        "cluster 1\t3\t3",
        "cluster 2\t2\t2",
        "unclustered\t1\t1",
    ]
    document = json.loads(sheet.with_suffix(".json").read_text())
    names = [[face["image"].rsplit("/", 1)[1] for face in cluster] for cluster in document["clusters"]]
    assert names == [["a.png", "a.jpg", "a.png"], ["a.png", "a.png"]]
    assert document["unclustered"][0]["box"] == [2, 10, 22, 40]
    assert document["failed"] == []
    pixels = np.asarray(Image.open(sheet))
    # Face i of a picture has the grey level 100 + i.
    for level, count in ((100, 3), (101, 2), (102, 1)):
        assert 96 * 96 * count <= (pixels == level).all(axis=2).sum() < 96 * 96 * (count + 0.1)


def test_no_face_in_any_picture(faces, folder, tmp_path, capsys):
    faces(0, 0, 0, 0)
    assert main(["cluster", str(folder), "--sheet", str(tmp_path / "none.png")]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["unclustered\t0\t0"]
    assert json.loads((tmp_path / "none.json").read_text())["clusters"] == []


def test_wrong_usage(folder, tmp_path, capsys):
    assert main(["cluster", str(folder), "--sheet", str(tmp_path / "people.gif")]) == 2
    assert "must end in .png" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["crop", str(tmp_path / "empty"), str(tmp_path / "out")]) == 2
    assert "no pictures" in capsys.readouterr().err


@pytest.mark.parametrize(("verb", "model"), [(["crop", "out"], "mtcnn"), (["cluster"], "face_recognition")])
def test_no_server(verb, model, command_transport, folder, capsys):
    command_transport.ready = False
    assert main([verb[0], str(folder), *verb[1:]]) == 3
    assert model in capsys.readouterr().err


def test_a_sheet_that_cannot_be_written_is_told_before_the_work(faces, folder, tmp_path, capsys):
    transport = faces()
    (tmp_path / "file").touch()
    sheet = tmp_path / "file" / "people.png"
    assert main(["cluster", str(folder / "a.png"), "--sheet", str(sheet)]) == 2
    reason = f"{tmp_path / 'file'} is no folder"
    assert capsys.readouterr().err == f"faces cluster: --sheet {sheet} cannot be written: {reason}\n"
    assert transport.requests == []
