"""Every format gives the same tensors; foreign pickles and files that do not fit are refused."""

import argparse
import importlib.util
import io
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from face_export.errors import UntrustedWeights, WeightsError
from face_export.mtcnn import STAGES, PNet
from face_export.readers import keras_list, read_stage, read_state_dict
from face_export.serving import ServedPNet
from face_export.weights import Weights, load_into


def write_torch(weights: Weights, path: Path) -> Path:
    torch.save(weights.tensors, path)
    return path


def write_old_torch(weights: Weights, path: Path) -> Path:
    """As torch wrote before 1.6, and facenet-pytorch still ships."""
    torch.save(weights.tensors, path, _use_new_zipfile_serialization=False)
    return path


def write_checkpoint(weights: Weights, path: Path) -> Path:
    prefixed = {f"module.{name}": tensor for name, tensor in weights.tensors.items()}
    torch.save({"epoch": 3, "state_dict": prefixed}, path)
    return path


def write_lz4(weights: Weights, path: Path) -> Path:
    arrays = []
    for name in keras_list.tensor_names(weights.source.split()[-1].removesuffix(".lz4")):
        array = weights.tensors[name].numpy()
        arrays.append(array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T)
    joblib.dump(arrays, path, compress="lz4")
    return path


def write_npy(weights: Weights, path: Path) -> Path:
    """Layers as in det1.npy, with x before y in convolutions."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, tensor in weights.tensors.items():
        layer, parameter = name.split(".")
        foreign = layer.replace("prelu", "PReLU").replace("dense", "conv").replace("_", "-")
        key = "alpha" if layer.startswith("prelu") else {"weight": "weights", "bias": "biases"}[parameter]
        array = tensor.numpy()
        layers.setdefault(foreign, {})[key] = array.transpose(3, 2, 1, 0) if array.ndim == 4 else array.T
    np.save(path, np.array(layers, dtype=object), allow_pickle=True)
    return path


TORCH_WRITERS = {"pt": write_torch, "old pt": write_old_torch, "checkpoint": write_checkpoint}
PICKLE_WRITERS = {"lz4": write_lz4, "npy": write_npy}
SUFFIXES = {"lz4": ".lz4", "npy": ".npy"}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("form", [*TORCH_WRITERS, *PICKLE_WRITERS])
def test_round_trip(pretrained, tmp_path, stage, form):
    writer = {**TORCH_WRITERS, **PICKLE_WRITERS}[form]
    path = writer(pretrained[stage], tmp_path / f"own{SUFFIXES.get(form, '.pt')}")
    found = read_stage(stage, path, trust=form in PICKLE_WRITERS)
    assert found.tensors.keys() == pretrained[stage].tensors.keys()
    for name, tensor in pretrained[stage].tensors.items():
        assert torch.equal(found.tensors[name], tensor), name
    assert found.source == path.name


@pytest.mark.parametrize("form", PICKLE_WRITERS)
def test_unknown_pickle_wants_trust(pretrained, tmp_path, form):
    path = PICKLE_WRITERS[form](pretrained["pnet"], tmp_path / f"own{SUFFIXES[form]}")
    with pytest.raises(UntrustedWeights, match=r"own\..* is a pickle.*--trust"):
        read_stage("pnet", path)


class Intruder:
    """Unpickling it leaves a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_refused_pickle_is_never_run(tmp_path):
    trace, path = tmp_path / "trace", tmp_path / "det1.npy"
    np.save(path, np.array({"conv1": Intruder(trace)}, dtype=object), allow_pickle=True)
    with pytest.raises(UntrustedWeights):
        read_stage("pnet", path)
    assert not trace.exists()


@pytest.mark.parametrize("trust", [False, True])
def test_torch_file_is_never_run(tmp_path, trust):
    trace, path = tmp_path / "trace", tmp_path / "pnet.pt"
    torch.save({"conv1.weight": Intruder(trace)}, path)
    with pytest.raises(WeightsError, match="holds more than tensors"):
        read_stage("pnet", path, trust)
    assert not trace.exists()


def test_package_file_is_pinned_wherever_it_lies(pretrained, tmp_path):
    folder = Path(importlib.util.find_spec("mtcnn").submodule_search_locations[0])
    copy = tmp_path / "copy.lz4"
    copy.write_bytes((folder / "assets/weights/pnet.lz4").read_bytes())
    assert read_stage("pnet", copy).sha256 == pretrained["pnet"].sha256


def test_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(WeightsError, match=r"pip install mtcnn==1\.0\.0, or name a file with --rnet"):
        read_stage("rnet")


def test_wrong_shape_names_tensor_found_and_wanted(pretrained):
    expected = r"conv1\.weight has shape \(28, 3, 3, 3\), PNet wants \(10, 3, 3, 3\)"
    with pytest.raises(WeightsError, match=expected):
        load_into(PNet(), pretrained["rnet"])


def test_missing_unknown_and_infinite_tensors(pretrained):
    whole = pretrained["pnet"].tensors
    short = {name: tensor for name, tensor in whole.items() if name != "conv4_1.bias"}
    broken = {**whole, "conv1.bias": torch.full((10,), torch.nan)}
    for tensors, message in [
        (short, r"conv4_1\.bias is missing; PNet wants it as \(2,\)"),
        ({**whole, "extra": torch.zeros(1)}, r"PNet has no tensor extra of shape \(1,\)"),
        (broken, r"conv1\.bias holds values that are not finite"),
    ]:
        with pytest.raises(WeightsError, match=message):
            load_into(PNet(), Weights(tensors, "file", None))


def _pickled(content: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array(content, dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no known weight file"),
        (b"\xff\xd8\xff\xe0 a photo", "no known weight file"),
        (b"PK\x03\x04 cut short", "damaged"),
        (b"\x04\x22\x4d\x18 cut short", "cannot be read as a joblib file"),
        (b"\x93NUMPY cut short", "cannot be read as a NumPy file"),
        (_pickled("text"), "dict of layers"),
        (_pickled({"conv1": {"biases": "text"}}), "layer conv1 has no array weights"),
    ],
)
def test_foreign_and_damaged_files(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_stage("pnet", path, trust=True)


def test_lz4_of_another_stage_counts_arrays(pretrained, tmp_path):
    path = write_lz4(pretrained["onet"], tmp_path / "onet.lz4")
    with pytest.raises(WeightsError, match="holds 21 arrays, pnet wants 13"):
        read_stage("pnet", path, trust=True)


def test_file_that_is_no_state_dict(tmp_path):
    path = tmp_path / "list.pt"
    torch.save([torch.zeros(1)], path)
    with pytest.raises(WeightsError, match="does not hold a state dict"):
        read_state_dict(path)
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(WeightsError, match="not a torch file"):
        read_state_dict(path)


def _usual(state):
    """Checkpoints as people write them, by what writes them."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]).state_dict()

    def prefixed(prefix):
        return {prefix + name: tensor for name, tensor in state.items()}

    return {
        "PyTorch's tutorial": {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": optimizer, "loss": 0.1},
        "torch.compile": prefixed("_orig_mod."),
        "DataParallel of a compiled network": {"model": prefixed("module._orig_mod."), "optimizer": optimizer},
        "Lightning": {"state_dict": prefixed("model."), "epoch": 1, "optimizer_states": [optimizer]},
        "an average": {"n_averaged": torch.tensor(7), **prefixed("module.")},
        "options and a path": {
            "model": state,
            "args": argparse.Namespace(lr=0.1, out=Path("runs")),
            "best": np.float64(0.9),
        },
        "a name of its own": {"onet": state, "optimizer": optimizer},
        "deep": {"checkpoint": {"state_dict": state}, "state_dict": {"model_state_dict": state}},
    }


@pytest.mark.parametrize("kind", _usual({}))
def test_usual_checkpoints(kind, pretrained, tmp_path):
    state = pretrained["onet"].tensors
    torch.save(_usual(state)[kind], tmp_path / "onet.pt")
    read = read_stage("onet", tmp_path / "onet.pt").tensors
    assert read.keys() == state.keys()
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_two_networks_in_a_file_are_not_chosen_from(pretrained, tmp_path):
    torch.save({"pnet": pretrained["pnet"].tensors, "onet": pretrained["onet"].tensors}, tmp_path / "all.pt")
    with pytest.raises(WeightsError, match="has several: pnet, onet"):
        read_stage("onet", tmp_path / "all.pt")


def test_torchscript_is_no_source(tmp_path):
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.script(ServedPNet(PNet())), path)
    with pytest.raises(WeightsError, match="is a TorchScript archive"):
        read_stage("pnet", path)


def test_missing_file():
    with pytest.raises(WeightsError, match=r"cannot read weights nowhere\.pt: No such file"):
        read_stage("pnet", Path("nowhere.pt"))
