"""Half precision is written only if it finds the same faces."""

import argparse
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from face_admin import export as command
from face_admin.deploy.comparison import Answer, compare
from face_admin.precision import Differences, Gate, Verdict, largest_differences
from face_export import exporter
from face_export.half import in_half
from face_export.readers import read_stage
from face_repository.layout import default_repository
from face_repository.weights import read_weights
from tests.pictures import astronaut

GATE = Gate(min_agreement=0.995, min_similarity=0.999, accept_few=True)


def answer(*boxes, landmark=0.0, probability=1.0):
    count = len(boxes)
    landmarks = np.full((count, 5, 2), landmark, np.float32)
    return Answer(np.float32(boxes).reshape(-1, 4), landmarks, np.full(count, probability, np.float32), seconds=1)


FACE, MOVED, OTHER = (0, 0, 100, 100), (0, 0, 100, 104), (200, 0, 300, 100)
SHIFTED = (0, 0, 100, 120)


@pytest.mark.parametrize(
    ("found", "failure"),
    [
        pytest.param(answer(MOVED, OTHER), None, id="a box that moved a little"),
        pytest.param(answer(SHIFTED, OTHER), "agreement is 0.3333, must be at least 0.995", id="one that moved far"),
        pytest.param(answer(FACE), "agreement is 0.5000, must be at least 0.995", id="missing"),
        pytest.param(answer(FACE, OTHER, (400, 0, 500, 90)), "agreement is 0.6667, must be at least 0.995", id="extra"),
    ],
)
def test_missing_extra_and_moved_faces_count(found, failure):
    verdict = Verdict(compare([answer(FACE, OTHER)], [found]), None, None, {})
    assert list(verdict.failures(GATE)) == ([failure] if failure else [])


def test_photos_without_faces_say_nothing():
    verdict = Verdict(compare([answer()], [answer()]), None, np.zeros(0), {})
    assert [sentence.split(",")[0] for sentence in verdict.failures(GATE)] == [
        "there is no face in these photos",
        "there is no face in these photos to compare embeddings of",
    ]


@pytest.mark.parametrize(("least", "passes"), [(0.9991, True), (0.9989, False), (float("nan"), False)])
def test_the_least_similar_embedding_counts(least, passes):
    verdict = Verdict(None, None, np.array([1, least, 1]), {})
    assert (not list(verdict.failures(GATE))) is passes


def test_what_is_kept_has_to_be_shown():
    many = answer(*((200 * i, 0, 200 * i + 100, 100) for i in range(268)))
    strict = Gate(min_agreement=0.99, min_similarity=0.999)
    assert list(Verdict(compare([many], [many]), None, np.ones(268), {}).failures(strict)) == []
    few = Verdict(compare([answer(FACE, OTHER)], [answer(FACE, OTHER)]), None, np.ones(2), {})
    assert [sentence.partition(":")[0] for sentence in few.failures(strict)] == [
        "these faces, 2 in all, show an agreement of 0.425 at 95% confidence, must be at least 0.99",
        "these faces, 2 in all, show a share of similarities from 0.999 of 0.425 at 95% confidence, must be at least "
        "0.99",
    ]
    assert list(few.failures(GATE)) == []
    assert len(list(few.doubts(GATE))) == 2


def test_largest_differences_are_of_faces_that_match():
    first = [answer(FACE), answer(FACE, OTHER)]
    second = [answer(FACE, landmark=3, probability=0.75), answer(MOVED, (900, 0, 999, 99))]
    assert largest_differences(first, second) == Differences(
        box=4, landmark=pytest.approx(3 * 2**0.5), probability=0.25
    )
    assert largest_differences([answer(FACE)], [answer(OTHER)]) is None


def run(*arguments):
    parser = argparse.ArgumentParser("faces export")
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--precision", "fp16"), "--precision fp16 needs --photos DIR: rounding moves boxes and can lose faces"),
        (("--photos", "."), "--photos goes with --precision fp16"),
        (("--keep-fp32", "pnet"), "--keep-fp32 goes with --precision fp16"),
        (("--accept-few",), "--accept-few goes with --precision fp16"),
    ],
)
def test_arguments_that_do_not_go_together(tmp_path, capsys, arguments, words):
    assert run("--repository", tmp_path, *arguments) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_pictures(tmp_path, capsys):
    assert run("--repository", tmp_path, "--precision", "fp16", "--photos", tmp_path) == 1
    assert "no pictures" in capsys.readouterr().err


@pytest.fixture
def models(tmp_path):
    """A repository with a cascade in float32, weights for a second RNet, and a photo."""
    for name in ("pnet", "rnet", "onet"):
        shutil.copytree(default_repository() / name / "1", tmp_path / "models" / name / "1")
    torch.save(dict(read_stage("rnet").tensors), tmp_path / "rnet.pt")
    (tmp_path / "photos").mkdir()
    Image.fromarray(astronaut()).save(tmp_path / "photos" / "astronaut.png")
    return tmp_path / "models"


def export_rnet(models, *arguments):
    own = ("--rnet", models.parent / "rnet.pt", "--version", 1, "--photos", models.parent / "photos")
    return run("--repository", models, "--precision", "fp16", *own, *arguments)


@pytest.mark.slow
def test_what_agrees_is_written(models, capsys, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    assert export_rnet(models) == 1
    assert "half precision does not pass: these faces, 1 in all, show an agreement of 0.270" in capsys.readouterr().err
    assert json.loads((models / "rnet/1/export.json").read_text())["precision"] == "fp32"
    assert export_rnet(models, "--accept-few") == 0
    out, err = capsys.readouterr()
    assert "faces export: --accept-few lets pass: these faces, 1 in all, show" in err
    for words in ("faces in float32, in float16\t1, 1", "found by both (IoU ≥ 0.9)\t1, agreement 1.0000", "\tfp16\t"):
        assert words in out
    assert json.loads((models / "rnet/1/export.json").read_text())["precision"] == "fp16"
    assert {array.dtype for array in read_weights(models / "rnet/1/model.pt").values()} == {np.dtype(np.float16)}


@pytest.mark.slow
def test_what_does_not_agree_leaves_the_old_file(models, capsys, monkeypatch):
    def finds_nothing(network):
        half = in_half(network)
        with torch.no_grad():
            half.dense5_1[0].bias[1] -= 100
        return half

    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(exporter, "HALF_TOLERANCE", 1e9)
    monkeypatch.setattr(exporter, "in_half", finds_nothing)
    before = {path: path.read_bytes() for path in models.rglob("model.pt")}
    assert export_rnet(models) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "half precision does not pass: agreement is 0.0000" in last
    assert last.endswith("nothing was written")
    assert {path: path.read_bytes() for path in models.rglob("model.pt")} == before


@pytest.mark.slow
def test_a_network_can_stay_in_float32(models, capsys, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    assert export_rnet(models, "--keep-fp32", "rnet") == 1
    assert "there is nothing to export in fp16" in capsys.readouterr().err
