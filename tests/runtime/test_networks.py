"""Who answers the cascade's calls."""

import numpy as np
import pytest

from face_cascade import PNET, RNET, Call, Limits
from face_cascade.networks import STAGES
from face_runtime import networks
from tests.runtime.stand_in import MODELS, InferenceResponse, Tensor


@pytest.mark.parametrize(
    ("setting", "on_gpu", "chosen"),
    [
        ("auto", True, "bls"),
        ("auto", False, "local"),
        ("bls", False, "bls"),
        ("bls", True, "bls"),
        ("local", True, "local"),
        ("local", False, "local"),
    ],
)
def test_networks_run_where_that_is_faster_or_where_somebody_says(setting, on_gpu, chosen):
    assert networks.choose(setting, on_gpu) == chosen


@pytest.mark.parametrize("setting", ["", "gpu", "Local"])
def test_another_setting_is_none(setting):
    with pytest.raises(ValueError, match=r"networks is '.*', must be one of auto, bls, local"):
        networks.choose(setting, False)


def test_through_triton_each_network_is_asked_in_its_version():
    asked = []

    def answering(network):
        def run(request):
            asked.append((request.model_name, request.model_version, len(request.inputs()[0].as_numpy())))
            return InferenceResponse([Tensor(name, np.zeros(1, np.float32)) for name in network.outputs])

        return run

    MODELS.update({network.name: answering(network) for network in STAGES})
    driven = networks.through_triton({"pnet": 4, "rnet": 5, "onet": 6})
    assert driven.limits == Limits()
    assert len(driven.run(Call(PNET, np.zeros((2, 3, 12, 12), np.float32)))) == 2
    driven.run(Call(RNET, np.zeros((7, 3, 24, 24), np.float32)))
    assert asked == [("pnet", 4, 2), ("rnet", 5, 7)]


def test_in_this_process_each_network_is_taken_from_the_file_of_its_version(monkeypatch, tmp_path):
    taken = {}

    def from_file(network, file, warn):
        taken[network.name] = file.relative_to(tmp_path).as_posix()
        warn("slow")
        return lambda batch: (batch,)

    monkeypatch.setattr(networks, "network_from_file", from_file)
    told = []
    driven = networks.in_this_process(tmp_path, {"pnet": 4, "rnet": 5, "onet": 6}, 2, told.append)
    assert taken == {"pnet": "pnet/4/model.pt", "rnet": "rnet/5/model.pt", "onet": "onet/6/model.pt"}
    assert told == ["slow"] * 3
    assert driven.limits.parallel == 2
