"""`faces export` from its arguments to its exit code."""

import argparse
import subprocess
import sys

import pytest
import torch

from face_admin import export as command
from face_export.errors import DownloadError
from face_export.readers import facenet as facenet_weights


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser("faces export")
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def offline(monkeypatch):
    def fetch(*_: object) -> None:
        raise DownloadError("the server cannot be reached (Network is unreachable)")

    monkeypatch.setattr(facenet_weights, "fetch", fetch)


@pytest.mark.slow
def test_detection_only(tmp_path, capsys):
    assert run("--repository", tmp_path, "--facenet", "none") == 0
    assert sorted(path.parts[-3] for path in tmp_path.glob("*/1/model.pt")) == ["onet", "pnet", "rnet"]
    out, err = capsys.readouterr()
    assert err == ""
    for expected in ("pnet", "6,632", "100,178", "389,040", "mtcnn 1.0.0"):
        assert expected in out


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_default_facenet_offline_exports_the_rest(tmp_path, capsys):
    assert run("--repository", tmp_path, "--cache", tmp_path / "cache") == 0
    assert (tmp_path / "onet/1/model.pt").exists()
    assert not (tmp_path / "facenet/1/model.pt").exists()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    for expected in ("vggface2.pt", "SHA-256 is 281cebca", "--facenet PATH", "--facenet none", "unreachable"):
        assert expected in err


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_facenet_asked_for_by_name_offline_fails(tmp_path, capsys):
    assert run("--repository", tmp_path, "--cache", tmp_path / "cache", "--facenet", "vggface2") == 1
    out, err = capsys.readouterr()
    assert "onet" in out
    assert "FaceNet was not exported" in err


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_facenet_of_an_earlier_export_is_named(tmp_path, capsys):
    (tmp_path / "facenet/1").mkdir(parents=True)
    (tmp_path / "facenet/1/model.pt").write_bytes(b"earlier")
    (tmp_path / "facenet/1/export.json").write_text("{}")
    assert run("--repository", tmp_path) == 0
    assert "exported earlier stays" in capsys.readouterr().err
    assert (tmp_path / "facenet/1/model.pt").read_bytes() == b"earlier"


@pytest.mark.slow
def test_own_network_replaces_one_stage(tmp_path, capsys, pretrained):
    changed = {**pretrained["pnet"].tensors, "conv4_1.bias": torch.zeros(2)}
    torch.save(changed, tmp_path / "my_pnet.pt")
    assert run("--repository", tmp_path / "a", "--facenet", "none") == 0
    own = ("--repository", tmp_path / "b", "--facenet", "none", "--pnet", tmp_path / "my_pnet.pt")
    assert run(*own) == 0
    assert "my_pnet.pt" in capsys.readouterr().out
    for stage, same in (("pnet", False), ("rnet", True), ("onet", True)):
        a, b = ((tmp_path / name / stage / "1/model.pt").read_bytes() for name in "ab")
        assert (a == b) is same


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pnet", "nowhere.pt"), "cannot read weights nowhere.pt"),
        (("--facenet", "nowhere.pt"), "there is no file nowhere.pt"),
        (("--facenet", "none", "--classes", "5"), "--classes goes with --facenet random"),
    ],
)
def test_failure_is_one_line_and_exit_code_1(tmp_path, capsys, arguments, message):
    assert run("--repository", tmp_path, *arguments) == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_declaring_the_command_imports_no_torch():
    code = "import sys, face_admin.export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_classes_are_positive(capsys):
    with pytest.raises(SystemExit):
        run("--facenet", "random", "--classes", "0")
    assert "is not a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_further_version_of_one_network(tmp_path, capsys, pretrained):
    torch.save(pretrained["pnet"].tensors, tmp_path / "my_pnet.pt")
    own = ("--repository", tmp_path / "models", "--pnet", tmp_path / "my_pnet.pt")
    for version in ("next", "next", "7", "next"):
        assert run(*own, "--version", version) == 0
    exported = sorted(path.relative_to(tmp_path / "models") for path in tmp_path.rglob("model.pt"))
    assert list(map(str, exported)) == [f"pnet/{version}/model.pt" for version in (1, 2, 7, 8)]
    assert [path.name for path in sorted((tmp_path / "models/pnet").iterdir()) if path.name.isdigit()] == [*"1278"]
    capsys.readouterr()
    assert run(*own, "--version", "3") == 0
    assert capsys.readouterr().err == "faces export: version 8 of pnet stays the live one, not 3\n"


def test_versions_are_positive(capsys):
    with pytest.raises(SystemExit):
        run("--version", "0")
    assert "is not a whole number of at least 1" in capsys.readouterr().err


def test_neither_what_is_read_nor_other_peoples_models_are_overwritten(tmp_path, capsys):
    model = tmp_path / "pnet" / "1" / "model.pt"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"mine")
    assert run("--repository", tmp_path, "--facenet", "none") == 2
    assert f"--repository would overwrite {model}" in capsys.readouterr().err
    assert run("--repository", tmp_path, "--facenet", "none", "--pnet", model, "--force") == 2
    assert f"{model}, which is read" in capsys.readouterr().err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [model]
    assert model.read_bytes() == b"mine"
