"""Who answers the cascade's calls."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

from face_cascade import PNET, RNET, Call, Limits
from face_cascade.networks import STAGES
from face_cascade.numpy_arrays import NUMPY
from face_runtime import networks
from face_runtime.engine import InThreads
from face_runtime.networks import Choice
from tests.runtime.stand_in import MODELS, InferenceResponse, Tensor


def choice(**given):
    return Choice(
        **{"networks": "auto", "engine": "auto", "decode": "auto", "facenet_crops": "host", "device": "cpu", **given}
    )


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
    """Of a process that prepares images on the processor."""
    made = choice(networks=setting, engine="numpy", device="cuda:0" if on_gpu else "cpu")
    assert not made.uses_torch
    assert made.runs_locally == (chosen == "local")


@pytest.mark.parametrize(
    ("engine", "device", "has_torch", "uses_torch", "runs_locally"),
    [
        ("auto", "cuda:0", True, True, True),
        ("auto", "cuda:0", False, False, False),
        ("auto", "cpu", True, False, True),
        ("torch", "cpu", True, True, True),
        ("torch", "cuda:1", True, True, True),
        # Whoever says so is told by the import what is missing.
        ("torch", "cuda:0", False, True, True),
        ("numpy", "cuda:0", True, False, False),
    ],
)
def test_torch_is_used_on_a_gpu_or_where_somebody_says(
    monkeypatch, engine, device, has_torch, uses_torch, runs_locally
):
    monkeypatch.setattr(networks, "_has_torch", lambda: has_torch)
    made = choice(engine=engine, device=device)
    assert (made.uses_torch, made.runs_locally) == (uses_torch, runs_locally)
    if made.uses_torch:
        assert not choice(networks="bls", engine=engine, device=device).runs_locally


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("networks", "auto, bls, local"),
        ("engine", "auto, numpy, torch"),
        ("decode", "auto, cpu, gpu"),
        ("facenet_crops", "host, device"),
    ],
)
@pytest.mark.parametrize("setting", ["", "cuda", "Local"])
def test_another_setting_is_none(name, choices, setting):
    with pytest.raises(ValueError, match=f"^{name} is '{setting}', must be one of {choices}$"):
        choice(**{name: setting})


VERSIONS = {"pnet": 4, "rnet": 5, "onet": 6}
FILES = {"pnet": "pnet/4/model.pt", "rnet": "rnet/5/model.pt", "onet": "onet/6/model.pt"}


@pytest.mark.parametrize("setting", ["local", "bls"])
def test_the_engine_of_a_device_is_told_where_the_networks_are(monkeypatch, tmp_path, setting):
    given = []
    monkeypatch.setattr("face_runtime.device.engine.on_device", lambda *arguments: given.append(arguments) or "made")
    chosen = choice(networks=setting, engine="torch", decode="gpu", facenet_crops="device", device="cuda:1")
    assert networks.engine(chosen, tmp_path, VERSIONS, 3, print) == "made"
    ((device, files, *rest),) = given
    assert (device, rest) == ("cuda:1", [VERSIONS, "gpu", True, 3, print])
    if setting == "bls":
        assert files is None
    else:
        assert {n.name: file.relative_to(tmp_path).as_posix() for n, file in files.items()} == FILES


@pytest.mark.parametrize(
    ("device", "warnings"), [("cpu", 0), ("cuda:0", 1)], ids=["of a CPU", "of a GPU that torch cannot use"]
)
def test_the_engine_of_the_processor(monkeypatch, tmp_path, device, warnings):
    told = []
    monkeypatch.setattr(networks, "_has_torch", lambda: False)
    made = networks.engine(choice(networks="bls", device=device), tmp_path, VERSIONS, 3, told.append)
    assert made.arrays is NUMPY
    assert isinstance(made.decoder, InThreads)
    assert len(told) == warnings
    assert all(sentence.startswith("there is no torch with triton here") for sentence in told)


def test_through_triton_each_network_is_asked_in_its_version():
    asked = []

    def answering(network):
        def run(request):
            asked.append((request.model_name, request.model_version, len(request.inputs()[0].as_numpy())))
            return InferenceResponse([Tensor(name, np.zeros(1, np.float32)) for name in network.outputs])

        return run

    MODELS.update({network.name: answering(network) for network in STAGES})
    driven = networks.through_triton(VERSIONS, 2)
    assert driven.limits == Limits()
    assert len(driven.run(Call(PNET, np.zeros((2, 3, 12, 12), np.float32)))) == 2
    driven.run(Call(RNET, np.zeros((7, 3, 24, 24), np.float32)))
    assert asked == [("pnet", 4, 2), ("rnet", 5, 7)]


@pytest.mark.parametrize("trouble", ["", "no room"])
def test_in_this_process_each_network_is_taken_from_the_file_of_its_version(monkeypatch, tmp_path, trouble):
    taken = {}

    def from_file(network, file, warn):
        taken[network.name] = file.relative_to(tmp_path).as_posix()
        warn("slow")
        return lambda batch: (batch,)

    monkeypatch.setattr("face_runtime.processor.network_from_file", from_file)
    monkeypatch.setattr("face_cascade.code_cache.shared", lambda: SimpleNamespace(trouble=trouble))
    told = []
    driven = networks.engine(choice(), tmp_path, VERSIONS, 2, told.append)
    assert taken == FILES
    because = f"the networks are compiled at each start, since machine code is not kept: {trouble}"
    assert told == ["slow"] * 3 + [because] * bool(trouble)
    assert driven.limits.parallel == 2


@pytest.mark.parametrize("chosen", [choice(networks="bls"), choice(engine="torch", networks="bls")], ids=str)
def test_pictures_are_opened_in_several_threads_whoever_runs_the_networks(chosen, tmp_path):
    made = networks.engine(chosen, tmp_path, VERSIONS, 2, lambda _: None)
    together = threading.Barrier(2)
    # One after the other they would wait for each other until the barrier breaks.
    assert sorted(made.decoder.map(lambda _: together.wait(10), range(2))) == [0, 1]
