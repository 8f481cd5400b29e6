"""TorchScript files, in this process and as the `pytorch` backend of the embedded server."""

import json

import numpy as np
import pytest
import torch

from face_runtime.torchscript import TorchScriptNetwork
from tests.runtime.stand_in import LINES, InferenceRequest, Tensor, TritonError

BACKEND = "server/face_server/backends/pytorch/model.py"


class TwoOutputs(torch.nn.Module):
    """Asks for more memory than there is below -1, and fails below 0."""

    def forward(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if rows.min() < -1:
            rows = rows + torch.zeros(1 << 50)
        if rows.min() < 0:
            rows = rows.reshape(7, 7, 7)
        return rows * 2, rows.flatten(1).sum(1)


class OneOutput(torch.nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows + 1


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    for name, module in (("two", TwoOutputs()), ("one", OneOutput())):
        (folder / name / "1").mkdir(parents=True)
        torch.jit.script(module).save(str(folder / name / "1" / "model.pt"))
    return folder


ROWS = np.random.RandomState(0).uniform(0, 1, (7, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("micro_batch", [0, 1, 3, 7, 100])
def test_small_passes_give_what_one_gives(repository, micro_batch):
    doubled, sums = TorchScriptNetwork(repository / "two" / "1" / "model.pt", "cpu", micro_batch)(ROWS)
    np.testing.assert_array_equal(doubled, ROWS * 2)
    np.testing.assert_allclose(sums, ROWS.sum((1, 2)), rtol=1e-6)


def test_one_output_is_a_tuple_of_one(repository):
    (found,) = TorchScriptNetwork(repository / "one" / "1" / "model.pt", "cpu")(ROWS)
    np.testing.assert_array_equal(found, ROWS + 1)


def test_memory_that_runs_out_is_told_from_other_errors(repository):
    network = TorchScriptNetwork(repository / "two" / "1" / "model.pt", "cpu")
    with pytest.raises(MemoryError, match=r"too little memory for a batch of shape \[7, 3, 4\]"):
        network(ROWS - 9)
    with pytest.raises(RuntimeError, match="shape"):
        network(ROWS - 1)


@pytest.fixture
def backend(model, repository):
    """An instance of model `two`. Its outputs are told apart by their index, not by their place in the file."""
    return instance(model, repository, "sums__1", "doubled__0")


def instance(model, repository, *outputs):
    config = {
        "name": "two",
        "input": [{"name": "rows__0"}],
        "output": [{"name": name} for name in outputs],
        "parameters": {"MICRO_BATCH": {"string_value": "2"}, "SMALLEST_SIDE": {"string_value": "3"}},
    }
    return model(
        BACKEND,
        model_config=json.dumps(config),
        model_repository=str(repository / "two"),
        model_version="1",
        model_instance_kind="CPU",
        model_instance_device_id="0",
    )


def ask(backend, *batches, wanted=("doubled__0", "sums__1")):
    return backend.execute(
        [InferenceRequest(inputs=[Tensor("rows__0", b)], requested_output_names=wanted) for b in batches]
    )


def test_requests_run_together_and_each_gets_its_rows(backend):
    batches = (ROWS[:3], ROWS[3:4], ROWS[4:])
    for response, batch in zip(ask(backend, *batches), batches, strict=True):
        outputs = {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}
        np.testing.assert_array_equal(outputs["doubled__0"], batch * 2)
        np.testing.assert_allclose(outputs["sums__1"], batch.sum((1, 2)), rtol=1e-6)
        assert outputs["doubled__0"].flags.c_contiguous
    (response,) = ask(backend, ROWS, wanted=["sums__1"])
    assert [tensor.name() for tensor in response.output_tensors()] == ["sums__1"]


def errors(responses):
    return [(response.error().message(), response.error().code()) for response in responses]


def test_a_network_of_another_version_of_this_program_is_told(model, repository):
    (error,) = errors(ask(instance(model, repository, "doubled__0", "sums__1", "weights__2"), ROWS))
    sentence = (
        "model two gives 2 outputs, its configuration has 3: it was exported by another version; run `faces export` "
        "again and start the server again"
    )
    assert error == (sentence, TritonError.UNAVAILABLE)


@pytest.mark.parametrize("shape", [(0, 3, 4), (1, 3, 2), (1, 0, 4)])
def test_a_shape_that_the_network_cannot_take(backend, shape):
    (error,) = errors(ask(backend, np.zeros(shape, np.float32)))
    sentence = f"rows__0 has shape {list(shape)}, must have sides of at least 3"
    assert error == (sentence, TritonError.INVALID_ARG)


def test_torchs_own_words_are_for_the_log(backend):
    failed = errors(ask(backend, ROWS[:3] - 1, ROWS[3:] - 1))
    assert failed == [("model two failed on a batch of shape [7, 3, 4]", TritonError.INTERNAL)] * 2
    assert [level for level, _ in LINES] == ["error"]


def test_too_little_memory_may_be_tried_again(backend):
    failed = errors(ask(backend, ROWS - 9, ROWS - 9))
    assert failed == [("model two has too little memory for a batch of 2 requests", TritonError.UNAVAILABLE)] * 2
    assert all(not response.has_error() for response in ask(backend, ROWS))


def test_a_file_that_is_no_network_is_told_at_the_start(model, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "model.pt").write_bytes(b"junk")
    config = {"name": "two", "input": [{"name": "a"}], "output": [], "parameters": {}}
    with pytest.raises(ValueError, match=r"model\.pt is no TorchScript archive"):
        model(BACKEND, model_config=json.dumps(config), model_repository=str(tmp_path), model_version="1")
