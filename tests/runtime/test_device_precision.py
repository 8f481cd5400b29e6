"""The GPU's PNet computes in what its arrays are stored in."""

import sys
import types

import numpy as np
import pytest
import torch

from face_cascade.networks import PNET
from face_runtime.device import engine


@pytest.mark.parametrize(("stored", "half"), [(np.float32, False), (np.float16, True)])
def test_pnet_is_fused_in_the_precision_of_its_file(monkeypatch, tmp_path, stored, half):
    made = []
    fused = types.SimpleNamespace(KernelPNet=lambda *args, **named: made.append((args, named)))
    monkeypatch.setitem(sys.modules, "face_runtime.device.pnet", fused)
    weights = {"conv1.bias": np.zeros(10, stored)}
    monkeypatch.setattr(engine, "read_weights", {tmp_path: weights}.__getitem__)
    engine._network(PNET, tmp_path, torch.device("cuda"), pytest.fail)
    assert made == [((weights, torch.device("cuda")), {"half": half})]
