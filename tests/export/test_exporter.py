"""Nothing is written that is not right, and nothing is written by halves."""

import copy
import errno
import hashlib
import json
import os
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from face_cascade.compiled import COMPILED
from face_cascade.networks import RNET
from face_export import exporter
from face_export.errors import ExportError, ParityError
from face_export.exporter import export_facenet, export_stage
from face_export.mtcnn import RNet
from face_export.serving import ServedRNet
from face_export.torchscript import to_bytes
from face_export.weights import Weights, digest
from face_repository.weights import read_weights

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_writes_model_and_record(pretrained, networks, tmp_path):
    done = export_stage("pnet", pretrained["pnet"], tmp_path)
    assert files(tmp_path) == ["pnet/1/export.json", "pnet/1/model.pt"]
    record = json.loads((tmp_path / "pnet/1/export.json").read_text())
    model = (tmp_path / "pnet/1/model.pt").read_bytes()
    assert record["model_sha256"] == hashlib.sha256(model).hexdigest() == done.model_sha256
    assert record["source_sha256"] == pretrained["pnet"].sha256
    assert record["state_dict_sha256"] == digest(networks["pnet"])
    assert record["torch_version"] == torch.__version__
    assert record["parameters"] == 6_632
    assert record["parity_max_difference"] <= exporter.TOLERANCE
    assert (tmp_path / "pnet/1/model.pt").stat().st_mode & 0o044 == 0o044


@pytest.mark.slow
def test_facenet_record_tells_classes_and_that_it_is_random(random_facenet, tmp_path):
    done = export_facenet(random_facenet, tmp_path)
    assert done.classes == 100
    assert "load tests only" in json.loads((tmp_path / "facenet/1/export.json").read_text())["note"]
    loaded = torch.jit.load(tmp_path / "facenet/1/model.pt")
    embeddings, scores, about = loaded(torch.zeros(1, 160, 160, 3, dtype=torch.uint8))
    assert embeddings.shape == (1, 512)
    assert scores.shape == (1, 100)
    assert done.random
    assert json.loads(bytes(about[0].tolist()))["random"]


@pytest.mark.slow
def test_facenet_without_classifier_has_no_score_columns(random_facenet, tmp_path):
    bare = {name: tensor for name, tensor in random_facenet.tensors.items() if not name.startswith("logits.")}
    done = export_facenet(Weights(bare, "bare.pt", None), tmp_path)
    assert done.classes == 0
    _, scores, _ = torch.jit.load(tmp_path / "facenet/1/model.pt")(torch.zeros(2, 160, 160, 3, dtype=torch.uint8))
    assert scores.shape == (2, 0)


@pytest.mark.slow
def test_parity_failure_writes_nothing(pretrained, tmp_path, monkeypatch):
    def perturbed(served: ServedRNet) -> bytes:
        with torch.no_grad():
            served.network.dense5_2.bias += 1e-3
            archive = to_bytes(served)
            served.network.dense5_2.bias -= 1e-3
        return archive

    monkeypatch.setattr(exporter, "to_bytes", perturbed)
    with pytest.raises(
        ParityError, match=r"rnet: output 0 for .* differs from the eager network by 0\.001; nothing was written"
    ):
        export_stage("rnet", pretrained["rnet"], tmp_path)
    assert files(tmp_path) == []


@pytest.mark.slow
def test_output_that_is_not_finite_is_refused(pretrained, tmp_path):
    overflowing = {name: tensor * 1e30 for name, tensor in pretrained["pnet"].tensors.items()}
    with pytest.raises(ParityError, match="not finite"):
        export_stage("pnet", Weights(overflowing, "huge.pt", None), tmp_path)
    assert files(tmp_path) == []


def as_built(monkeypatch, build):
    """The export then builds this RNet, and reads the weights that it has."""
    torch.manual_seed(0)
    network = build().eval()
    monkeypatch.setitem(exporter.STAGES, "rnet", lambda: copy.deepcopy(network))
    return network, Weights(network.state_dict(), "own.pt", None)


def with_batch_norm():
    network = RNet()
    network.pool2 = nn.Sequential(network.pool2, nn.BatchNorm2d(48))
    nn.init.uniform_(network.pool2[1].weight, 0.5, 2)
    return network


def with_one_slope():
    network = RNet()
    network.prelu4 = nn.PReLU()
    return network


def with_another_step():
    network = RNet()
    network.pool2 = nn.Sequential(network.pool2, nn.Sigmoid())
    return network


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        pytest.param(with_batch_norm, r"compiled rnet has no tensor pool2\.1\.bias", marks=pytest.mark.slow),
        pytest.param(
            with_one_slope,
            r"compiled rnet wants prelu4\.weight of shape \[128\], not \[1\]",
            marks=pytest.mark.slow,
        ),
        # Its tensors have the right names and shapes: only its answers tell.
        pytest.param(
            with_another_step,
            r"rnet: output 0 for .* differs from the eager network",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_network_that_is_built_otherwise_runs_in_torch_and_the_export_says_so(tmp_path, monkeypatch, build, reason):
    network, weights = as_built(monkeypatch, build)
    done = export_stage("rnet", weights, tmp_path)
    assert re.search(rf"^runs in torch on a CPU too, .*: {reason}", done.note)
    assert json.loads((tmp_path / "rnet/1/export.json").read_text())["note"] == done.note
    assert read_weights(tmp_path / "rnet/1/model.pt") == {}
    crops = torch.rand(3, 3, 24, 24) * 255
    with torch.inference_mode():
        wanted = ServedRNet(network)(crops)
        for found, tensor in zip(torch.jit.load(tmp_path / "rnet/1/model.pt")(crops), wanted, strict=True):
            torch.testing.assert_close(found, tensor, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_network_that_fits_is_stored_as_arrays_and_checked_as_such(tmp_path, pretrained, monkeypatch):
    asked = []

    def compiled(weights):
        network = COMPILED[RNET](weights)
        return lambda crops: asked.append(crops.shape) or network(crops)

    monkeypatch.setattr(exporter, "COMPILED", {**COMPILED, RNET: compiled})
    done = export_stage("rnet", pretrained["rnet"], tmp_path)
    assert done.note == ""
    assert (5, 3, 24, 24) in asked
    arrays = read_weights(tmp_path / "rnet/1/model.pt")
    assert arrays.keys() == pretrained["rnet"].tensors.keys()


@pytest.mark.slow
def test_full_disk_keeps_the_old_file(pretrained, tmp_path, monkeypatch):
    path = tmp_path / "rnet/1/model.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"cannot write .*model\.pt: No space left on device"):
        export_stage("rnet", pretrained["rnet"], tmp_path)
    assert files(tmp_path) == ["rnet/1/model.pt"]
    assert path.read_bytes() == b"old"


@pytest.mark.slow
def test_interruption_leaves_no_temporary_file(pretrained, tmp_path, monkeypatch):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_stage("rnet", pretrained["rnet"], tmp_path)
    assert files(tmp_path) == []


def test_repository_that_is_a_file(pretrained, tmp_path):
    blocked = tmp_path / "repository"
    blocked.write_text("")
    with pytest.raises(ExportError, match="cannot write"):
        export_stage("pnet", pretrained["pnet"], blocked)
