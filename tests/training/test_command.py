"""`faces train` from the lists to networks in a model repository, on a handful of pictures."""

import argparse
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

import face_admin.export
from face_cascade import DetectionParameters, detect, drive
from face_cascade.compiled import COMPILED
from face_cascade.networks import ONET, PNET, RNET
from face_export.readers import read_stage
from face_repository.weights import read_weights
from face_training import command
from face_training.rehearsal.sets import write_facial_points, write_wider
from tests.pictures import astronaut, reference

STAGES = ("pnet", "rnet", "onet")
FAST = ("--epochs", "1", "--batch-size", "64", "--processes", "1")


def run(*words, module=command):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Generated pictures in the published formats: 24 of WIDER FACE, 12 of the facial points."""
    root = tmp_path_factory.mktemp("sets")
    write_wider(root / "WIDER", "train", 24, np.random.default_rng(0))
    write_facial_points(root / "FACES", 12, np.random.default_rng(1))
    return root


@pytest.fixture(scope="module")
def prepared(sets, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    assert run("prepare", work, "--wider", sets / "WIDER", "--landmarks", sets / "FACES") == 0
    return work


@pytest.fixture(scope="module")
def fine_tuned(prepared):
    """One epoch of each stage from the published weights."""
    assert run("all", prepared, "--init", "pretrained", "--learning-rate", "1e-4", *FAST) == 0
    return prepared


def faces(networks, picture):
    return drive(detect([picture], [DetectionParameters()]), lambda call: networks[call.network](call.batch))[0]


def test_prepare_says_what_it_found(sets, tmp_path, capsys):
    (sets / "WIDER" / "WIDER_train" / "images" / "0--Generated" / "0003.jpg").rename(tmp_path / "away.jpg")
    try:
        assert run("prepare", tmp_path / "work", "--wider", sets / "WIDER") == 0
    finally:
        (tmp_path / "away.jpg").rename(sets / "WIDER" / "WIDER_train" / "images" / "0--Generated" / "0003.jpg")
    table = capsys.readouterr().out
    assert "wider\tpictures\t23" in table
    assert "wider\tskipped pictures: the file is missing\t1\t0--Generated/0003.jpg" in table
    report = json.loads((tmp_path / "work" / "report.json").read_text())
    assert report[0]["skipped"] == {"the file is missing": 1}


def test_nothing_and_nowhere_are_one_sentence(tmp_path, capsys):
    assert run("prepare", tmp_path) == 1
    assert run("pnet", tmp_path) == 1
    assert run("prepare", tmp_path, "--celeba", tmp_path) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors[0] == "faces train prepare: name at least one set: --wider, --landmarks or --celeba"
    assert "run `faces train prepare" in errors[1]
    assert "there is no list_bbox_celeba.txt" in errors[2]


def test_a_stage_asks_for_those_before_it(prepared, tmp_path, capsys):
    (tmp_path / "pictures.jsonl").write_text((prepared / "pictures.jsonl").read_text())
    assert run("rnet", tmp_path, *FAST) == 1
    assert "run `faces train pnet" in capsys.readouterr().err
    assert run("rnet", tmp_path, "--pnet", "pretrained", "--factor", "5", *FAST) == 1
    assert capsys.readouterr().err == "faces train rnet: factor is 5, must be from 0.1 to 0.9\n"
    assert not (tmp_path / "rnet").exists()


@pytest.mark.slow
def test_trained_networks_are_exported_and_find_the_face(fine_tuned, tmp_path):
    """The cascade of the exported arrays is the one that Triton runs on a CPU."""
    files = [word for stage in STAGES for word in (f"--{stage}", fine_tuned / stage / "checkpoint.pt")]
    exported = run(*files, "--facenet", "none", "--repository", tmp_path, module=face_admin.export)
    assert exported == 0
    networks = {n: COMPILED[n](read_weights(tmp_path / n.name / "1" / "model.pt")) for n in (PNET, RNET, ONET)}
    for stage in STAGES:
        tensors = read_stage(stage, fine_tuned / stage / f"{stage}.pt").tensors
        first = read_stage(stage).tensors
        assert any(not torch.equal(tensors[name], first[name]) for name in first)
    found = faces(networks, astronaut())
    boxes, landmarks, _ = reference("astronaut.png", 20)
    assert len(found.boxes) == len(boxes) == 1
    size = boxes[0, 2] - boxes[0, 0]
    np.testing.assert_allclose(found.boxes, boxes, atol=0.2 * size)
    np.testing.assert_allclose(found.landmarks, landmarks, atol=0.2 * size)


@pytest.mark.slow
def test_a_second_run_has_nothing_to_do(fine_tuned, capsys):
    before = {path: path.stat().st_mtime_ns for path in fine_tuned.glob("*/checkpoint.pt")}
    assert len(before) == 3
    assert run("all", fine_tuned, "--init", "pretrained", "--learning-rate", "1e-4", *FAST) == 0
    assert {path: path.stat().st_mtime_ns for path in fine_tuned.glob("*/checkpoint.pt")} == before
    capsys.readouterr()
    assert run("pnet", fine_tuned, *FAST) == 1
    assert "pass --fresh to begin anew" in capsys.readouterr().err


@pytest.mark.slow
def test_random_weights_and_candidates_of_named_networks(prepared, tmp_path, capsys):
    (tmp_path / "pictures.jsonl").write_text((prepared / "pictures.jsonl").read_text())
    files = ("--pnet", prepared / "missing.pt")
    assert run("rnet", tmp_path, *files, *FAST) == 1
    assert "missing.pt" in capsys.readouterr().err
    assert run("rnet", tmp_path, "--pnet", "pretrained", "--batches", "2", *FAST) == 0
    assert (tmp_path / "rnet" / "rnet.lz4").exists()


def test_weights_of_another_network_are_refused_before_anything_is_made(prepared, tmp_path, capsys):
    """As PNet to mine with: told by the tensor that does not fit, not by a process that ends."""
    (tmp_path / "pictures.jsonl").write_text((prepared / "pictures.jsonl").read_text())
    tensors = dict(read_stage("pnet").tensors)
    for name, other in (
        ("missing", {k: v for k, v in tensors.items() if k != "prelu2.weight"}),
        ("more", {**tensors, "norm.weight": torch.ones(3)}),
    ):
        torch.save(other, tmp_path / f"{name}.pt")
        assert run("rnet", tmp_path, "--pnet", tmp_path / f"{name}.pt", *FAST) == 1
        tensor = "prelu2.weight" if name == "missing" else "norm.weight"
        assert re.match(rf"faces train rnet: {name}\.pt: .*{tensor}", capsys.readouterr().err)
    assert not (tmp_path / "rnet").exists()


@pytest.mark.slow
def test_weights_that_are_missing_remove_nothing(fine_tuned, capsys):
    before = {path: path.stat().st_mtime_ns for path in fine_tuned.rglob("*")}
    assert run("all", fine_tuned, "--fresh", "--init", fine_tuned / "missing.pt", *FAST) == 1
    assert run("rnet", fine_tuned, "--fresh", "--pnet", fine_tuned / "missing.pt", *FAST) == 1
    assert capsys.readouterr().err.count("missing.pt") == 2
    assert {path: path.stat().st_mtime_ns for path in fine_tuned.rglob("*")} == before


def test_numbers_are_read_as_what_they_are_and_others_refused(capsys):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(["onet", "work", "--threshold-rnet", "0.7", "--min-face-size", "22.5", "--negatives", "0"])
    assert (args.threshold_rnet, args.min_face_size, args.negatives) == (0.7, 22.5, 0)
    for words in (
        ("--learning-rate", "-1"),
        ("--weight-decay", "nan"),
        ("--seed", "-1"),
        ("--mined-negatives", "-1"),
        ("--negatives", "1.5"),
        ("--epochs", "0"),
    ):
        with pytest.raises(SystemExit):
            parser.parse_args(["onet", "work", *words])
        assert f"argument {words[0]}: " in capsys.readouterr().err


def verbs():
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    (steps,) = (action.choices for action in parser._actions if isinstance(action.choices, dict))
    return steps


@pytest.mark.parametrize("verb", verbs())
def test_no_number_of_any_step_is_nan_or_infinite(verb, capsys):
    parser = verbs()[verb]
    numbers = [a.option_strings[0] for a in parser._actions if a.metavar in ("N", "X", "RATE", "SHARE", "PIXELS")]
    assert len(numbers) >= 1 if verb == "prepare" else len(numbers) > 7
    required = [".", "--out", "out"] if verb == "facenet" else ["work"]
    for option in numbers:
        for value in ("nan", "inf", "1e999", "-1", "x"):
            with pytest.raises(SystemExit):
                parser.parse_args([*required, f"{option}={value}"])
            assert f"argument {option}: {value!r} is not a " in capsys.readouterr().err


def test_declaring_the_steps_imports_neither_torch_nor_compiled_code():
    code = "import sys, argparse, face_training.command as c; c.add_arguments(argparse.ArgumentParser()); "
    code += "sys.exit('torch' in sys.modules or 'numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_pictures_that_cannot_be_read_are_named(sets, tmp_path, capsys):
    shutil.copytree(sets / "WIDER", tmp_path / "WIDER")
    picture = tmp_path / "WIDER" / "WIDER_train" / "images" / "0--Generated" / "0003.jpg"
    assert run("prepare", tmp_path / "work", "--wider", tmp_path / "WIDER") == 0
    # Whole while it was checked.
    picture.write_bytes(picture.read_bytes()[:-500])
    capsys.readouterr()
    assert run("pnet", tmp_path / "work", "--batches", "1", *FAST) == 0
    assert f"pnet: no samples of {picture}: encoded_image is damaged or truncated" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["pictures.jsonl", "report.json"])
def test_prepare_overwrites_no_file_of_somebody_else(sets, tmp_path, name, capsys):
    arguments = ("prepare", tmp_path, "--wider", sets / "WIDER", "--limit", 1)
    assert run(*arguments) == run(*arguments) == 0
    (tmp_path / name).write_text('{"mine": 1}')
    assert run(*arguments) == 1
    assert f"WORK would overwrite {tmp_path / name}" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == '{"mine": 1}'
    assert run(*arguments, "--force") == 0


def test_a_stage_does_not_end_over_the_weights_it_began_with(prepared, tmp_path, capsys):
    own = tmp_path / "work" / "pnet" / "pnet.pt"
    # Other tests train there, and what a run wrote may be replaced.
    shutil.copytree(prepared, tmp_path / "work", ignore=shutil.ignore_patterns("pnet"))
    own.parent.mkdir()
    own.write_bytes(b"weights")
    assert run("pnet", tmp_path / "work", "--init", own) == 1
    assert f"WORK would overwrite {own}, which is read" in capsys.readouterr().err
    assert run("pnet", tmp_path / "work", "--batches", 1) == 1
    assert f"WORK would overwrite {own}, which this command did not write" in capsys.readouterr().err
    assert own.read_bytes() == b"weights"


@pytest.mark.parametrize("name", ["facenet.pt", "checkpoint.pt", "people.json"])
def test_facenet_overwrites_no_file_of_somebody_else(tmp_path, name, capsys):
    (tmp_path / name).write_text("mine")
    assert run("facenet", tmp_path, "--out", tmp_path) == 1
    assert f"--out would overwrite {tmp_path / name}, which this command did not write" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["samples", "log"])
def test_fresh_removes_no_folder_of_somebody_else(tmp_path, name, capsys):
    (tmp_path / name).mkdir()
    (tmp_path / name / "photo.jpg").touch()
    assert run("facenet", tmp_path, "--out", tmp_path, "--fresh") == 1
    assert f"--out would overwrite {tmp_path / name}, which this command did not write" in capsys.readouterr().err
    assert (tmp_path / name / "photo.jpg").exists()


def test_a_folder_that_cannot_be_written_to_is_one_sentence(sets, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("prepare", tmp_path / "file" / "work", "--wider", sets / "WIDER") == 1
    work = tmp_path / "file" / "work"
    assert f"faces train prepare: WORK {work / 'pictures.jsonl'} cannot be written: " in capsys.readouterr().err
