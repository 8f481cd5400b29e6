"""Nothing is written that is not right, and nothing is written by halves."""

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
import torch

from face_export import exporter
from face_export import torchscript as parity
from face_export.errors import ExportError, ParityError
from face_export.exporter import export_facenet, export_stage, write_atomically
from face_export.serving import ServedRNet
from face_export.torchscript import to_bytes
from face_export.weights import Weights, digest

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


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
    assert record["parity_max_difference"] <= parity.TOLERANCE
    assert (tmp_path / "pnet/1/model.pt").stat().st_mode & 0o044 == 0o044


def test_facenet_record_tells_classes_and_that_it_is_random(random_facenet, tmp_path):
    done = export_facenet(random_facenet, tmp_path)
    assert done.classes == 100
    assert "load tests only" in json.loads((tmp_path / "facenet/1/export.json").read_text())["note"]
    loaded = torch.jit.load(tmp_path / "facenet/1/model.pt")
    embeddings, scores = loaded(torch.zeros(1, 160, 160, 3, dtype=torch.uint8))
    assert embeddings.shape == (1, 512)
    assert scores.shape == (1, 100)


def test_facenet_without_classifier_has_no_score_columns(random_facenet, tmp_path):
    bare = {name: tensor for name, tensor in random_facenet.tensors.items() if not name.startswith("logits.")}
    done = export_facenet(Weights(bare, "bare.pt", None), tmp_path)
    assert done.classes == 0
    _, scores = torch.jit.load(tmp_path / "facenet/1/model.pt")(torch.zeros(2, 160, 160, 3, dtype=torch.uint8))
    assert scores.shape == (2, 0)


def test_parity_failure_writes_nothing(pretrained, tmp_path, monkeypatch):
    def perturbed(served: ServedRNet) -> bytes:
        with torch.no_grad():
            served.network.dense5_2.bias += 1e-3
            archive = to_bytes(served)
            served.network.dense5_2.bias -= 1e-3
        return archive

    monkeypatch.setattr(exporter, "to_bytes", perturbed)
    with pytest.raises(ParityError, match=r"rnet: output 0 for .* differs from the eager network by 0\.001"):
        export_stage("rnet", pretrained["rnet"], tmp_path)
    assert files(tmp_path) == []


def test_output_that_is_not_finite_is_refused(pretrained, tmp_path):
    overflowing = {name: tensor * 1e30 for name, tensor in pretrained["pnet"].tensors.items()}
    with pytest.raises(ParityError, match="not finite"):
        export_stage("pnet", Weights(overflowing, "huge.pt", None), tmp_path)
    assert files(tmp_path) == []


def test_full_disk_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"cannot write .*model\.pt: No space left on device"):
        write_atomically(path, b"new")
    assert files(tmp_path) == ["model.pt"]
    assert path.read_bytes() == b"old"


def test_interruption_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "model.pt", b"new")
    assert files(tmp_path) == []


def test_repository_that_is_a_file(pretrained, tmp_path):
    blocked = tmp_path / "repository"
    blocked.write_text("")
    with pytest.raises(ExportError, match="cannot write"):
        export_stage("pnet", pretrained["pnet"], blocked)
