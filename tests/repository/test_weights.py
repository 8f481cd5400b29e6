"""Arrays inside of a TorchScript archive."""

import io
import zipfile

import numpy as np
import pytest
import torch

from face_repository.weights import precision_of, read_weights, with_weights


def archive():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 3)), buffer)
    return buffer.getvalue()


def test_arrays_come_back_and_torch_still_reads_the_file(tmp_path):
    weights = {"conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), "conv1.bias": np.float32([1, 2])}
    path = tmp_path / "model.pt"
    path.write_bytes(with_weights(archive(), weights))
    found = read_weights(path)
    assert list(found) == list(weights)
    for name, array in weights.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert torch.jit.load(str(path))(torch.zeros(1, 2)).shape == (1, 3)


def test_a_file_of_another_tool_has_none(tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(archive())
    assert read_weights(path) == {}


def test_same_weights_give_the_same_bytes():
    plain, weights = archive(), {"a": np.zeros(3, np.float32)}
    assert with_weights(plain, weights) == with_weights(plain, weights)


def test_no_pickle_is_ever_loaded(tmp_path):
    path = tmp_path / "model.pt"
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        with_weights(archive(), {"bad": np.array([{}], dtype=object)})
    path.write_bytes(archive())
    with zipfile.ZipFile(path, "a") as target:
        root = target.namelist()[0].partition("/")[0]
        target.writestr(f"{root}/extra/weights/bad.npy", buffer.getvalue())
    with pytest.raises(ValueError, match="allow_pickle"):
        read_weights(path)


@pytest.mark.parametrize(("types", "precision"), [((), "fp32"), (("f4",), "fp32"), (("f2", "i8"), "fp16")])
def test_precision_is_that_of_the_arrays(types, precision):
    assert precision_of({kind: np.zeros(2, kind) for kind in types}) == precision
