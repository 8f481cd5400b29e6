"""A network that really is worse, against the gate as a user meets it."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from face_command.main import main
from face_export.readers import read_stage
from face_repository.layout import default_repository
from face_repository.versions import NETWORKS
from tests.pictures import astronaut, wall


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for network in NETWORKS:
        shutil.copytree(default_repository() / network / "1", folder / network / "1")
    return folder


@pytest.fixture(scope="module")
def half_blind(tmp_path_factory):
    """The pretrained ONet, which is now sure of faces that anybody would find, and of no others."""
    tensors = {name: tensor.clone() for name, tensor in read_stage("onet").tensors.items()}
    tensors["dense6_1.bias"] += torch.tensor([3.5, -3.5])
    path = tmp_path_factory.mktemp("weights") / "half_blind.pt"
    torch.save(tensors, path)
    return path


@pytest.fixture(scope="module")
def portraits(tmp_path_factory):
    """Three photos with three faces."""
    folder = tmp_path_factory.mktemp("portraits")
    for name, picture in (("a", astronaut()), ("b", astronaut()[:, :400]), ("c", astronaut()[::2, ::2])):
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """Five pictures with some fifty faces, down to the smallest that are found."""
    folder = tmp_path_factory.mktemp("groups")
    for width, height in ((1920, 1080), (1280, 720), (960, 540), (640, 360), (480, 270)):
        Image.fromarray(wall(width, height)).save(folder / f"{width}.png")
    return folder


def dry_run(models, candidate, photos, *more):
    # Time is nothing that this is about, and a busy machine has its own.
    arguments = ("--onet", candidate, "--photos", photos, "--repository", models, "--dry-run", "--max-slowdown", 100)
    return main(["deploy", *map(str, arguments), *more])


@pytest.mark.slow
def test_on_three_portraits_it_looks_as_good_and_is_refused_for_want_of_faces(models, half_blind, portraits, capsys):
    assert dry_run(models, half_blind, portraits) == 1
    out, err = capsys.readouterr()
    assert "found by both (IoU ≥ 0.5)\t\t3, agreement 1.000" in out
    assert "these faces, 3 in all, show an agreement of 0.526 at 95% confidence, must be at least 0.9" in err
    assert "at least 25 faces" in err
    assert err.endswith("with --accept-few; nothing was changed\n")


@pytest.mark.slow
def test_who_accepts_few_faces_is_told_what_they_show(models, half_blind, portraits, capsys):
    assert dry_run(models, half_blind, portraits, "--accept-few") == 0
    err = capsys.readouterr().err
    assert "faces deploy: --accept-few lets pass: these faces, 3 in all, show an agreement of 0.526" in err
    assert err.endswith("the candidate passes the gate on 3 pictures, 3 faces\n")


@pytest.mark.slow
def test_on_enough_faces_it_is_seen_to_be_worse_and_the_live_network_to_be_as_good_as_itself(
    models, half_blind, groups, tmp_path, capsys
):
    assert dry_run(models, half_blind, groups, "--accept-few") == 1
    assert "the candidate fails the gate: agreement is 0.6" in capsys.readouterr().err
    torch.save(dict(read_stage("onet").tensors), tmp_path / "same.pt")
    assert dry_run(models, tmp_path / "same.pt", groups) == 0
