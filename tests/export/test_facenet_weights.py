"""FaceNet's weights by name, by path and by recipe."""

from pathlib import Path

import pytest
import torch

from face_export.errors import UntrustedWeights, WeightsError
from face_export.inception_resnet_v1 import InceptionResnetV1
from face_export.published import PUBLISHED, Published, cache_directory
from face_export.readers import facenet as facenet_weights
from face_export.readers.facenet import load, random_weights
from face_export.readers.pickles import sha256
from face_export.weights import load_into


@pytest.fixture
def small_file(tmp_path) -> Path:
    path = tmp_path / "small.pt"
    torch.save({"last_bn.bias": torch.zeros(512)}, path)
    return path


def test_published_file_is_looked_up_in_the_cache_and_named_by_release(small_file, tmp_path, monkeypatch):
    published = Published("small.pt", sha256(small_file.read_bytes()), 1)
    monkeypatch.setitem(PUBLISHED, "vggface2", published)
    weights = load("vggface2", tmp_path)
    assert weights.source == "facenet-pytorch v2.2.9 small.pt"
    assert weights.sha256 == published.sha256
    assert load(str(small_file), tmp_path).source == weights.source


def test_download_asks_for_the_release_with_its_checksum(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(facenet_weights, "fetch", lambda *args: calls.append(args) or args[2])
    facenet_weights.download(PUBLISHED["casia-webface"], tmp_path)
    url, checksum, target, _ = calls[0]
    assert url.endswith("/facenet-pytorch/releases/download/v2.2.9/20180408-102900-casia-webface.pt")
    assert checksum == PUBLISHED["casia-webface"].sha256
    assert target == tmp_path / "20180408-102900-casia-webface.pt"


def test_other_file_under_a_published_name(small_file, tmp_path):
    path = small_file.rename(tmp_path / PUBLISHED["vggface2"].file)
    with pytest.raises(UntrustedWeights, match="download it again, or pass --trust"):
        load(str(path), tmp_path)
    assert load(str(path), tmp_path, trust=True).source == path.name


def test_misspelt_name_lists_the_known_ones(tmp_path):
    with pytest.raises(WeightsError, match=r"no file vgface2.*: vggface2, casia-webface, random, none"):
        load("vgface2", tmp_path)


def test_batch_counters_may_be_missing(random_facenet):
    assert not any(name.endswith("num_batches_tracked") for name in random_facenet.tensors)
    load_into(InceptionResnetV1(100), random_facenet)


def test_random_features_do_not_depend_on_the_classifier(random_facenet):
    bare = random_weights().tensors
    assert random_facenet.tensors.keys() - bare.keys() == {"logits.weight", "logits.bias"}
    assert all(torch.equal(random_facenet.tensors[name], tensor) for name, tensor in bare.items())


def test_cache_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TRITON_FACES_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() == tmp_path / ".cache/triton-faces"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg/triton-faces"
    monkeypatch.setenv("TRITON_FACES_CACHE", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"
