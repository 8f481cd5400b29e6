"""`faces deploy` from its arguments to its exit status, as far as it goes without a server."""

import argparse
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from face_admin.deploy import command, judging
from face_admin.deploy.comparison import Answer
from face_command.main import main
from face_export.readers import read_stage
from face_server.settings import ADMIN_KEY_VARIABLE
from tests.tools.deploy.repositories import content, make_repository


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.delenv(ADMIN_KEY_VARIABLE, raising=False)
    return make_repository(tmp_path / "models")


@pytest.fixture
def pnet(tmp_path):
    torch.save(dict(read_stage("pnet").tensors), tmp_path / "my_pnet.pt")
    return tmp_path / "my_pnet.pt"


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "photos" / "grey.png")
    return tmp_path / "photos"


def deploy(*arguments):
    return main(["deploy", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a new network: --pnet, --rnet or --onet FILE"),
        (("--pnet", "x.pt"), "--photos DIR is needed to compare on"),
        (("--rollback", "--rnet", "x.pt"), "--rnet goes with a deployment only"),
        (("--pnet", "x.pt", "--photos", ".", "--min-recall", "0.5"), "--min-recall needs --labels"),
        (
            ("--pnet", "x.pt", "--photos", ".", "--min-face-size", "5"),
            "min_face_size is 5, must be from 10 to 65535",
        ),
    ],
)
def test_arguments_that_do_not_go_together(arguments, message, capsys):
    assert deploy(*arguments) == 2
    assert capsys.readouterr().err == f"faces deploy: {message}\n"


def failure(capsys, *arguments):
    """The one sentence that the command ends with."""
    assert deploy(*arguments) == 1
    *_, last = capsys.readouterr().err.splitlines()
    return last


def test_without_a_key_nothing_is_begun(repository, capsys, pnet, photos):
    assert ADMIN_KEY_VARIABLE in failure(capsys, "--pnet", pnet, "--photos", photos, "--repository", repository)
    assert "cannot read nowhere" in failure(capsys, "--rollback", "--key-file", "nowhere", "--repository", repository)


def test_a_server_that_is_not_there(repository, capsys, tmp_path):
    (tmp_path / "key").write_text("secret\n")
    words = failure(
        capsys, "--rollback", "--key-file", tmp_path / "key", "--repository", repository, "--url", "127.0.0.1:1"
    )
    assert words.startswith("faces deploy: no server answers at 127.0.0.1:1")


def test_names_that_stand_for_no_server(repository, capsys, tmp_path):
    (tmp_path / "key").write_text("secret\n")
    here = ("--repository", repository, "--url", "dns:///no-such-name.invalid:8001")
    words = failure(capsys, "--rollback", "--key-file", tmp_path / "key", *here)
    assert words.startswith("faces deploy: no address of dns:///no-such-name.invalid:8001 is known: ")
    assert deploy("--list", *here) == 0
    assert "no address of dns:///no-such-name.invalid:8001 is known" in capsys.readouterr().err


def test_files_that_are_no_weights(repository, capsys, tmp_path, photos):
    before = content(repository)
    (tmp_path / "corrupt.pt").write_bytes(b"PK\x03\x04 and no more")
    dry_run = ("--photos", photos, "--repository", repository, "--dry-run")
    assert "corrupt.pt is damaged" in failure(capsys, "--pnet", tmp_path / "corrupt.pt", *dry_run)
    assert "cannot read weights nowhere.pt" in failure(capsys, "--pnet", "nowhere.pt", *dry_run)
    assert content(repository) == before
    assert not list(repository.glob(".*"))


def test_photos_that_are_none(repository, capsys, pnet, tmp_path):
    (tmp_path / "empty").mkdir()
    arguments = ("--pnet", pnet, "--repository", repository, "--dry-run")
    assert "is no folder of pictures" in failure(capsys, *arguments, "--photos", tmp_path / "absent")
    assert "no pictures" in failure(capsys, *arguments, "--photos", tmp_path / "empty")


def test_labels_of_other_photos(repository, capsys, pnet, photos, tmp_path):
    (tmp_path / "labels.txt").write_text("other.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n")
    arguments = ("--pnet", pnet, "--repository", repository, "--dry-run", "--photos", photos)
    assert "has no labels for any of the pictures" in failure(capsys, *arguments, "--labels", tmp_path / "labels.txt")
    assert "cannot read the labels" in failure(capsys, *arguments, "--labels", tmp_path / "nowhere.txt")


def test_limits_are_shares(capsys):
    with pytest.raises(SystemExit):
        deploy("--pnet", "x.pt", "--min-agreement", "90")
    assert "'90' is not a number from 0 to 1" in capsys.readouterr().err


NUMBERS = {
    "--min-agreement": ("1", "1.01"),
    "--max-loss": ("0", "-0.01"),
    "--min-recall": ("0.5", "2"),
    "--max-landmark-shift": ("0.1", "-1"),
    "--max-slowdown": ("2.5", "0"),
    "--timeout": ("3", "0"),
    "--in-flight": ("3", "0"),
    "--min-face-size": ("30", "x"),
    "--threshold-pnet": ("0.6", ""),
    "--threshold-rnet": ("0.6", "x"),
    "--threshold-onet": ("0.6", "x"),
    "--factor": ("0.6", "x"),
}


@pytest.mark.parametrize(("option", "values"), NUMBERS.items())
def test_numbers_are_numbers_in_their_range(option, values, capsys):
    """NaN is less than nothing and greater than nothing: as a limit it would switch the gate off."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    right, wrong = values
    assert getattr(parser.parse_args([option, right]), option[2:].replace("-", "_")) == float(right)
    for value in (wrong, "nan", "inf", "-inf", "1e999", "one"):
        with pytest.raises(SystemExit):
            parser.parse_args([f"{option}={value}"])
        assert f"argument {option}: " in capsys.readouterr().err


def test_every_number_of_the_command_is_tried():
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    numbers = {a.option_strings[0] for a in parser._actions if a.metavar in ("X", "N", "S")}
    assert numbers == NUMBERS.keys()


@pytest.mark.slow
def test_a_closed_gate_is_shown_and_a_picture_that_cannot_be_read_is_named(
    repository, capsys, pnet, photos, monkeypatch
):
    """The comparison itself on fakes; a real one is in the end-to-end tests."""
    (photos / "broken.jpg").write_bytes(b"no picture")
    faces = iter(([[0, 0, 30, 30]], []) * 2)

    class FakeCascade:
        warnings = ("it runs in torch",)

        def __init__(self, files):
            assert set(files) == {"pnet", "rnet", "onet"}

        def detect(self, _image, _parameters):
            boxes = np.float32(next(faces)).reshape(-1, 4)
            return Answer(boxes, np.zeros((len(boxes), 5, 2), np.float32), np.ones(len(boxes), np.float32), 1.0)

    monkeypatch.setattr(judging, "LocalCascade", FakeCascade)
    before = content(repository)
    assert deploy("--pnet", pnet, "--photos", photos, "--repository", repository, "--dry-run") == 1
    out, err = capsys.readouterr()
    assert "faces found\t1\t0\n" in out
    assert err.count("faces deploy: it runs in torch\n") == 1
    assert f"faces deploy: {photos / 'broken.jpg'}: encoded_image is not a picture" in err
    assert err.endswith("found by both networks, live and candidate; nothing was changed\n")
    assert content(repository) == before
    assert not list(repository.glob(".*"))


@pytest.mark.slow
def test_live_networks_that_cannot_be_run(repository, capsys, pnet, photos):
    words = failure(capsys, "--pnet", pnet, "--photos", photos, "--repository", repository, "--dry-run")
    assert "/pnet/1/model.pt is no pnet that can be run (" in words


def test_declaring_the_command_imports_no_torch():
    code = "import sys, argparse, face_admin.deploy.command as c; c.add_arguments(argparse.ArgumentParser()); "
    code += "sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_help_teaches(capsys):
    parser = argparse.ArgumentParser("faces deploy")
    command.add_arguments(parser)
    parser.print_help()
    text = capsys.readouterr().out
    for expected in ("--rollback", "--dry-run", ADMIN_KEY_VARIABLE, "faces deploy --pnet my_pnet.pt"):
        assert expected in text
