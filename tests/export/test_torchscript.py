"""An archive depends on the weights alone: not on the process, its history or the folder of the sources."""

from pathlib import Path

import pytest
import torch
from torch import nn

import face_export
from face_export.errors import ExportError
from face_export.mtcnn import RNet
from face_export.serving import ServedONet, ServedRNet
from face_export.torchscript import from_bytes, to_bytes

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture(scope="module")
def archive(networks) -> bytes:
    return to_bytes(ServedRNet(networks["rnet"]))


@pytest.mark.slow
def test_same_file_whatever_the_process_did_before(networks, archive, tmp_path, monkeypatch):
    torch.jit.script(ServedONet(networks["onet"]))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "torch.py").write_text("raise RuntimeError('a file of the current folder was imported')")
    assert to_bytes(ServedRNet(networks["rnet"])) == archive


@pytest.mark.slow
def test_other_scripted_modules_live_on(networks):
    scripted = torch.jit.script(ServedRNet(networks["rnet"]).eval())
    crops = torch.rand(2, 3, 24, 24) * 255
    before = scripted(crops)
    to_bytes(ServedRNet(RNet()))
    assert all(torch.equal(a, b) for a, b in zip(before, scripted(crops), strict=True))


@pytest.mark.slow
def test_another_weight_is_another_file(archive):
    assert to_bytes(ServedRNet(RNet())) != archive


@pytest.mark.slow
def test_archive_names_no_folder_of_this_machine(archive):
    for folder in (Path(face_export.__file__).parent, Path(torch.__file__).parent):
        assert str(folder).encode() not in archive


def test_loads_from_a_path_in_eval_mode_and_optimises(archive, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(archive)
    crops = torch.rand(4, 3, 24, 24) * 255
    loaded = torch.jit.load(path)
    assert not any(module.training for module in loaded.modules())
    with torch.inference_mode():
        expected = from_bytes(archive)(crops)
        optimised = torch.jit.optimize_for_inference(torch.jit.freeze(loaded))(crops)
    for a, b in zip(expected, optimised, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_module_that_cannot_be_scripted():
    broken = nn.LSTMCell(1, 1)
    broken.forward = None
    with pytest.raises(ExportError, match=r"LSTMCell cannot be compiled to TorchScript: .+"):
        to_bytes(broken)
