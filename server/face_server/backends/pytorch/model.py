"""The `pytorch` backend of the embedded server: TorchScript models with dynamic batching.

Triton takes this file as the backend of every model that says `backend: "pytorch"`. Like NVIDIA's native backend of
that name it reads inputs and outputs `<name>__<index>`, the file `model.pt` and the parameters INTRA_OP_THREAD_COUNT
and INTER_OP_THREAD_COUNT; it always runs in inference mode, and ignores the native one's other parameters. MICRO_BATCH,
the most rows in one pass on a CPU, and SMALLEST_SIDE, in pixels, are its own; the native backend ignores them.

On a CPU torch and the network are loaded for the first request, which a configuration with `model_warmup` makes at the
start. Without it a model that nobody asks directly, as the cascade has its networks compiled, costs next to no memory.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from face_runtime.answers import NETWORK, Refused, Request, refusing

if TYPE_CHECKING:
    from face_runtime.torchscript import TorchScriptNetwork

_INTRA_OP = "INTRA_OP_THREAD_COUNT"
_INTER_OP = "INTER_OP_THREAD_COUNT"


class TritonPythonModel:
    """One instance of one TorchScript model."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        return config

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self._threads = {name: int(parameters[name]) for name in (_INTRA_OP, _INTER_OP) if name in parameters}
        self._path = Path(args["model_repository"]) / args["model_version"] / "model.pt"
        if not zipfile.is_zipfile(self._path):
            raise ValueError(f"{self._path} is no TorchScript archive")
        self._name = config["name"]
        self._input = config["input"][0]["name"]
        self._smallest_side = int(parameters.get("SMALLEST_SIDE", 0))
        self._outputs = _by_index(config["output"])
        on_gpu = args["model_instance_kind"] == "GPU"
        self._on_gpu = on_gpu
        self._device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        self._micro_batch = 0 if on_gpu else int(parameters.get("MICRO_BATCH", 0))
        self._network = self._loaded() if on_gpu else None

    def _loaded(self) -> "TorchScriptNetwork":
        import torch

        from face_runtime.torchscript import TorchScriptNetwork

        if _INTRA_OP in self._threads:
            torch.set_num_threads(self._threads[_INTRA_OP])
        if _INTER_OP in self._threads:
            torch.set_num_interop_threads(self._threads[_INTER_OP])
        return TorchScriptNetwork(self._path, self._device, self._micro_batch)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers all requests of a batch with one run."""
        batch = [Request(request) for request in requests]
        with refusing(batch, f"model {self._name} has too little memory for a batch of {len(batch)} requests"):
            inputs = [pb_utils.get_input_tensor_by_name(request.triton, self._input) for request in batch]
            if self._on_gpu:
                self._answer_on_gpu(batch, inputs)
            else:
                self._answer(batch, [tensor.as_numpy() for tensor in inputs])
        return [request.response() for request in batch]

    def _answer(self, batch: list[Request], inputs: list[NDArray[Any]]) -> None:
        outputs = self._run(inputs)
        ends = np.cumsum([len(rows) for rows in inputs])[:-1]
        parts = [np.split(output, ends) for output in outputs]
        for request, *arrays in zip(batch, *parts, strict=True):
            wanted = request.triton.requested_output_names()
            named = zip(self._outputs, arrays, strict=True)
            request.give({name: np.ascontiguousarray(array) for name, array in named if name in wanted})

    def _answer_on_gpu(self, batch: list[Request], inputs: list[Any]) -> None:
        """Inputs and outputs stay where they are: on the GPU, if that is where the caller has them and wants them."""
        import torch

        rows = [torch.from_dlpack(tensor.to_dlpack()) for tensor in inputs]
        self._check(rows[0].shape)

        def run(network: "TorchScriptNetwork") -> list[Any]:
            whole = torch.cat([of_request.to(self._device) for of_request in rows])
            outputs = [output.contiguous() for output in network.run(whole)]
            # Who gets them reads the memory without asking this process.
            torch.cuda.current_stream(self._device).synchronize()
            return outputs

        outputs = self._computed(run, (sum(map(len, rows)), *rows[0].shape[1:]))
        parts = [output.split([len(of_request) for of_request in rows]) for output in outputs]
        for request, *tensors in zip(batch, *parts, strict=True):
            wanted = request.triton.requested_output_names()
            named = zip(self._outputs, tensors, strict=True)
            request.give_tensors(
                [pb_utils.Tensor.from_dlpack(name, tensor) for name, tensor in named if name in wanted]
            )

    def _run(self, inputs: list[NDArray[Any]]) -> tuple[NDArray[np.float32], ...]:
        self._check(inputs[0].shape)
        whole = inputs[0] if len(inputs) == 1 else np.concatenate(inputs)
        outputs: tuple[NDArray[np.float32], ...] = self._computed(lambda network: network(whole), whole.shape)
        return outputs

    def _check(self, shape: Sequence[int]) -> None:
        # Triton batches equal shapes: what is wrong with one is wrong with all.
        if min(shape) < 1 or min(shape[2:]) < self._smallest_side:
            least = max(self._smallest_side, 1)
            raise Refused("input", f"{self._input} has shape {list(shape)}, must have sides of at least {least}")

    def _computed(self, run: Callable[["TorchScriptNetwork"], Any], shape: Sequence[int]) -> Any:
        self._network = self._network or self._loaded()
        try:
            outputs = run(self._network)
        except RuntimeError as error:
            if "out of memory" in str(error):
                raise MemoryError from error
            # torch's own text holds a traceback with paths: that is for the log.
            pb_utils.Logger.log_error(f"{self._name}: {error}")
            message = f"model {self._name} failed on a batch of shape {list(shape)}"
            raise Refused(NETWORK, message, pb_utils.TritonError.INTERNAL) from error
        if len(outputs) != len(self._outputs):
            message = (
                f"model {self._name} gives {len(outputs)} outputs, its configuration has {len(self._outputs)}: it was "
                "exported by another version; run `faces export` again and start the server again"
            )
            raise Refused(NETWORK, message, pb_utils.TritonError.UNAVAILABLE)
        return outputs


def _by_index(outputs: list[dict[str, Any]]) -> list[str]:
    """Output names in the order in which the module returns them: `<name>__<index>`."""
    return sorted((output["name"] for output in outputs), key=lambda name: int(name.rpartition("__")[2]))
