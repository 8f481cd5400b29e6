"""FaceNet on a folder of people: crops as the service cuts them, a classifier, weights that can be exported."""

import argparse
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from face_cascade import DetectionParameters, detect, drive
from face_cascade.compiled import COMPILED
from face_cascade.crops import detection_crops
from face_cascade.networks import ONET, PNET, RNET
from face_client import decode_image
from face_export.exporter import export_facenet, model_path
from face_export.readers import read_state_dict
from face_export.torchscript import from_bytes
from face_training import command
from face_training.errors import AnnotationError
from face_training.learning.facenet_task import HELD_OUT, Batch, FaceNetTask
from face_training.samples.making import make_samples
from face_training.samples.people import CROP, crop_plan, read_people
from face_training.samples.store import Shards
from face_training.settings import CropSettings, TrainingSettings
from tests.pictures import astronaut
from tests.training.sets import portrait, write_picture

FAST = ["--init", "random", "--batch-size", "4", "--batches", "1", "--processes", "1", "--learning-rate", "1e-4"]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Two people, one of them the other in blue; six pictures each, one of which shows nobody."""
    root = tmp_path_factory.mktemp("people")
    pixels, _, _ = portrait(220)
    for n in range(6):
        shifted = np.ascontiguousarray(pixels[n * 3 :, : 220 - n * 5])
        write_picture(root / "collins" / f"{n}.jpg", shifted)
        write_picture(root / "blue" / f"{n}.png", shifted[:, :, ::-1] // 2)
    write_picture(root / "blue" / "6.png", np.full((80, 80, 3), 50, np.uint8))
    (root / "empty").mkdir()
    (root / "notes.txt").write_text("no person")
    return root


def run(*words):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(word) for word in words]))


@pytest.fixture(scope="module")
def trained(people, tmp_path_factory):
    out = tmp_path_factory.mktemp("facenet")
    assert run("facenet", people, "--out", out, "--epochs", 1, *FAST) == 0
    return out


@pytest.fixture(scope="module")
def crops(people, pretrained_arrays, tmp_path_factory):
    """Those that the command makes, without the training that follows."""
    _, pictures = read_people(people, print)
    plan = crop_plan(tmp_path_factory.mktemp("crops") / "samples", CropSettings(), pretrained_arrays, pictures)
    assert sum(make_samples(plan, pictures, 1)) == len(pictures)
    return Shards(plan.folder, CROP)


def test_people_are_their_folders(people):
    names, pictures = read_people(people, print)
    assert names == ["blue", "collins"]
    assert [(p.person, p.place) for p in pictures] == [(0, n) for n in range(7)] + [(1, n) for n in range(6)]
    with pytest.raises(AnnotationError, match="two at least"):
        read_people(people / "collins", print)


def test_hidden_folders_are_nobody_and_are_named(tmp_path):
    names = ("anna/1.png", "anna/sub/2.heic", "bob/1.pgm", ".ipynb_checkpoints/1.png", "@eaDir/x.png", "bob/._1.pgm")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    said = []
    people, pictures = read_people(tmp_path, said.append)
    assert people == ["anna", "bob"]
    assert [str(p.path.relative_to(tmp_path)) for p in pictures] == ["anna/1.png", "anna/sub/2.heic", "bob/1.pgm"]
    hidden = "(hidden, thumbnails or trash)"
    assert said == [
        f"{tmp_path}: left out .ipynb_checkpoints, @eaDir {hidden}",
        f"{tmp_path / 'bob'}: left out ._1.pgm {hidden}",
    ]


@pytest.mark.slow
def test_crops_are_the_services(people, crops, pretrained_arrays):
    assert crops.column("person").tolist() == [0] * 6 + [1] * 6
    networks = {network: COMPILED[network](pretrained_arrays[network.name]) for network in (PNET, RNET, ONET)}
    parameters = DetectionParameters(selection="largest")
    for row, path in ((0, "blue/0.png"), (9, "collins/3.jpg")):
        pixels = decode_image((people / path).read_bytes())
        (found,) = drive(detect([pixels], [parameters]), lambda call: networks[call.network](call.batch))
        expected = detection_crops(pixels, found, parameters)
        np.testing.assert_array_equal(crops.take(np.array([row]))["pixels"], expected)


@pytest.mark.slow
def test_the_command_makes_these_crops(trained, crops):
    made, rows = Shards(trained / "samples", CROP), np.arange(12)
    assert len(made) == len(crops) == len(rows)
    assert made.take(rows).tobytes() == crops.take(rows).tobytes()


@pytest.mark.slow
def test_the_weights_are_exported_with_their_classes(trained, tmp_path):
    assert json.loads((trained / "people.json").read_text()) == ["blue", "collins"]
    weights = read_state_dict(trained / "facenet.pt")
    done = export_facenet(weights, tmp_path)
    assert done.classes == 2
    served = from_bytes(model_path(tmp_path, "facenet").read_bytes())
    face = np.asarray(Image.fromarray(astronaut()[62:172, 181:268]).resize((160, 160)))
    embeddings, scores, _ = served(torch.from_numpy(face.copy())[None])
    assert (embeddings.shape, scores.shape) == ((1, 512), (1, 2))


class Listening(torch.nn.Module):
    """Keeps what it is shown."""

    def forward(self, faces):
        self.seen = faces
        return None, torch.zeros(len(faces), 2)


@pytest.mark.slow
def test_faces_are_normalised_and_mirrored_left_to_right(crops):
    network = Listening()
    task = FaceNetTask(network, crops, TrainingSettings(), torch.device("cpu"))
    losses = task.losses(Batch(np.array([3, 3]), np.array([False, True])))
    assert losses["cross_entropy"].item() == pytest.approx(np.log(2))
    plain, mirrored = network.seen.numpy()
    pixels = crops.take(np.array([3]))["pixels"][0].astype(np.float32)
    np.testing.assert_array_equal(plain, ((pixels - 127.5) / 128).transpose(2, 0, 1))
    np.testing.assert_array_equal(mirrored, plain[:, :, ::-1])
    assert (plain != mirrored).any()


@pytest.mark.slow
def test_the_checkpoint_has_the_accuracy_and_is_refused_with_other_settings(trained, people, capsys):
    saved = torch.load(trained / "checkpoint.pt", weights_only=True)
    assert saved["settings"]["people"] == ["blue", "collins"]
    assert 0 <= saved["history"][0]["validation_accuracy"] <= 1
    assert saved["history"][0]["cross_entropy"] > 0
    crops = Shards(trained / "samples", CROP)
    assert (crops.column("place") % HELD_OUT == HELD_OUT - 1).sum() == 2
    assert run("facenet", people, "--out", trained, "--epochs", 2, *FAST) == 1
    assert "is of a run with another epochs" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_missing_or_refused_removes_and_writes_nothing(trained, people, tmp_path, capsys):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    assert run("facenet", people, "--out", trained, "--fresh", "--init", tmp_path / "missing.pt") == 1
    assert "missing.pt" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before
    assert run("facenet", people, "--out", tmp_path / "out", "--margin", 160, *FAST) == 1
    assert capsys.readouterr().err == "faces train facenet: margin is 160, must be less than image_size (160)\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_people_without_a_face_are_named(people, tmp_path, capsys):
    root = tmp_path / "people"
    shutil.copytree(people, root)
    write_picture(root / "nobody" / "wall.png", np.full((80, 80, 3), 50, np.uint8))
    # Fewer than two faces would stay: the training itself is not wanted here.
    for name in ("collins", "blue"):
        for path in sorted((root / name).iterdir())[1:]:
            path.unlink()
    shutil.rmtree(root / "collins")
    assert run("facenet", root, "--out", tmp_path / "out", "--epochs", 1, *FAST) == 1
    captured = capsys.readouterr()
    assert "facenet: no face was found of nobody\n" in captured.out + captured.err
    assert "fewer than two faces were found" in captured.err
