"""Trained weights in others' formats, there and back, bit for bit."""

import importlib.util
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from face_export.errors import UntrustedWeights
from face_export.readers import read_stage
from face_export.weights import digest
from face_training.learning.trainable import initialised, new_network, write_keras_list, write_state_dict

STAGES = ("pnet", "rnet", "onet")
ASSETS = Path(importlib.util.find_spec("mtcnn").submodule_search_locations[0]) / "assets" / "weights"


@pytest.mark.parametrize("stage", STAGES)
def test_a_state_dict_comes_back(tmp_path, stage):
    network = new_network(stage, 3).network
    write_state_dict(tmp_path / "a.pt", network)
    plain = torch.load(tmp_path / "a.pt", weights_only=True)
    assert list(plain) == list(network.state_dict())
    found = read_stage(stage, tmp_path / "a.pt")
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in network.state_dict().items())
    assert digest(initialised(stage, str(tmp_path / "a.pt")).network) == digest(network)


@pytest.mark.parametrize("stage", STAGES)
def test_a_keras_list_comes_back(tmp_path, stage):
    network = new_network(stage, 4).network
    write_keras_list(tmp_path / "a.lz4", stage, network)
    with pytest.raises(UntrustedWeights):
        read_stage(stage, tmp_path / "a.lz4")
    found = read_stage(stage, tmp_path / "a.lz4", trust=True)
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("stage", STAGES)
def test_the_packages_own_list_is_written_as_it_was(tmp_path, stage):
    """ipazc's stages load with `set_weights(joblib.load(path))`: order, shapes and types are what Keras checks."""
    write_keras_list(tmp_path / "a.lz4", stage, initialised(stage, "pretrained").network)
    original, written = joblib.load(ASSETS / f"{stage}.lz4"), joblib.load(tmp_path / "a.lz4")
    assert [(a.shape, a.dtype) for a in written] == [(a.shape, a.dtype) for a in original]
    assert all(np.array_equal(a, b) for a, b in zip(written, original, strict=True))
    head = slice(0, 4)
    assert (tmp_path / "a.lz4").read_bytes()[head] == (ASSETS / f"{stage}.lz4").read_bytes()[head]
