"""The cascade on this processor: networks from their files, and workers that share them."""

import sys
import threading
import zipfile

import numpy as np
import pytest
import torch

from face_cascade import ONET, PNET, RNET, Call, DetectionParameters, detect, drive
from face_cascade.networks import STAGES
from face_repository.layout import default_repository
from face_repository.weights import read_weights, with_weights
from face_runtime.processor import network_from_file, on_this_processor
from face_runtime.torchscript import TorchScriptNetwork
from tests.pictures import wall


def file_of(network):
    return default_repository() / network.name / "1" / "model.pt"


FILE = file_of(RNET)


def without_arrays(file, target):
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as copy:
        for entry in source.infolist():
            if "/extra/" not in entry.filename:
                copy.writestr(entry, source.read(entry))
    return target


def crops(count=5):
    return np.random.RandomState(0).uniform(0, 255, (count, 3, RNET.side, RNET.side)).astype(np.float32)


@pytest.mark.slow
def test_a_file_with_arrays_is_compiled_and_gives_what_torch_gives():
    network = network_from_file(RNET, FILE, pytest.fail)
    assert not isinstance(network, TorchScriptNetwork)
    for found, expected in zip(network(crops()), TorchScriptNetwork(FILE, "cpu")(crops()), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_file_without_arrays_runs_in_torch_and_says_so(tmp_path, monkeypatch):
    told, threads = [], []
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    network = network_from_file(RNET, without_arrays(FILE, tmp_path / "model.pt"), told.append)
    assert isinstance(network, TorchScriptNetwork)
    assert threads == [1], "the callers are the threads"
    assert network(crops())[0].shape == (5, 4)
    (sentence,) = told
    assert sentence.startswith("the file of rnet holds no arrays, so it runs in torch")


def test_a_file_of_a_network_that_is_built_otherwise_runs_in_torch_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    path, told = tmp_path / "model.pt", []
    weights = {**read_weights(FILE), "pool2.1.weight": np.ones(48, np.float32)}
    path.write_bytes(with_weights(without_arrays(FILE, path).read_bytes(), weights))
    network = network_from_file(RNET, path, told.append)
    assert isinstance(network, TorchScriptNetwork)
    (sentence,) = told
    assert "compiled rnet has no tensor pool2.1.weight), so it runs in torch" in sentence


def test_where_there_is_no_torch_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    file = without_arrays(FILE, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="rnet holds no arrays, and torch, which could run it, is not here"):
        network_from_file(RNET, file, lambda _: None)


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"/model\.pt is no TorchScript archive$"):
        network_from_file(RNET, tmp_path / "model.pt", pytest.fail)
    data = bytearray(FILE.read_bytes())
    with zipfile.ZipFile(FILE) as archive:
        (entry, *_) = [one for one in archive.infolist() if one.filename.endswith(".npy")]
    data[entry.header_offset + 200 : entry.header_offset + 300] = bytes(100)
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(ValueError, match=r"/model\.pt is damaged: Bad CRC-32"):
        network_from_file(RNET, tmp_path / "model.pt", pytest.fail)
    with pytest.raises(FileNotFoundError):
        network_from_file(RNET, tmp_path / "absent.pt", pytest.fail)


def test_each_call_goes_to_its_network_and_the_first_ones_are_made_before_any_caller():
    shapes = {network: [] for network in STAGES}

    def fake(network):
        def run(batch):
            shapes[network].append(batch.shape)
            return (batch,)

        return run

    networks = on_this_processor({network: fake(network) for network in STAGES}, 2)
    assert networks.limits.parallel == 2
    largest = {network: max(shape[0] for shape in seen) for network, seen in shapes.items()}
    assert largest == {
        PNET: networks.limits.pnet_tiles(11, 257),
        RNET: networks.limits.rnet,
        ONET: networks.limits.onet,
    }
    batch = np.zeros((3, 3, 24, 24), np.float32)
    assert networks.run(Call(RNET, batch))[0] is batch
    assert shapes[RNET][-1] == batch.shape


def test_a_compiled_pnet_draws_pieces_itself():
    """And is asked by others about tiles as ever."""
    networks = {network: network_from_file(network, file_of(network), pytest.fail) for network in STAGES}
    engine = on_this_processor(networks, 2)
    assert not engine.limits.packed
    picture = wall(640, 360)
    found = drive(engine.detect([picture], [DetectionParameters()]), engine.run, engine.map)
    expected = drive(detect([picture], [DetectionParameters()]), lambda call: networks[call.network](call.batch))
    np.testing.assert_array_equal(found[0].boxes, expected[0].boxes)
    assert len(found[0].boxes) > 3


def test_so_many_workers_at_once():
    networks = on_this_processor(dict.fromkeys(STAGES, lambda batch: (batch,)), 3)
    together = threading.Barrier(3)
    # Fewer workers would wait here for ever.
    assert sorted(networks.map(lambda _: together.wait(30), range(3))) == [0, 1, 2]
