"""The `pytorch` backend of the embedded server: TorchScript models with dynamic batching.

Triton takes this file as the backend of every model that says `backend: "pytorch"`. It reads the same
configuration as NVIDIA's native backend of that name: inputs and outputs `<name>__<index>`, the file `model.pt`,
and the parameters INTRA_OP_THREAD_COUNT and INTER_OP_THREAD_COUNT. MICRO_BATCH, the most rows in one pass on a
CPU, is its own; the native backend ignores it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils

from face_server.runtime.torchscript import TorchScriptNetwork


class TritonPythonModel:
    """One instance of one TorchScript model."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        return config

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        if "INTRA_OP_THREAD_COUNT" in parameters:
            torch.set_num_threads(int(parameters["INTRA_OP_THREAD_COUNT"]))
        if "INTER_OP_THREAD_COUNT" in parameters:
            torch.set_num_interop_threads(int(parameters["INTER_OP_THREAD_COUNT"]))
        on_gpu = args["model_instance_kind"] == "GPU"
        path = Path(args["model_repository"]) / args["model_version"] / "model.pt"
        self._name = config["name"]
        self._input = config["input"][0]["name"]
        self._outputs = _by_index(config["output"])
        self._network = TorchScriptNetwork(
            path,
            f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu",
            micro_batch=0 if on_gpu else int(parameters.get("MICRO_BATCH", 0)),
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answers all requests of a batch with one run."""
        batches = [pb_utils.get_input_tensor_by_name(r, self._input).as_numpy() for r in requests]
        whole = batches[0] if len(batches) == 1 else np.concatenate(batches)
        try:
            outputs = self._network(whole)
        except RuntimeError as error:
            # torch's own text holds a traceback with paths: that is for the log.
            pb_utils.Logger.log_error(f"{self._name}: {error}")
            message = f"model {self._name} cannot process a batch of shape {list(whole.shape)}"
            failure = pb_utils.TritonError(message, pb_utils.TritonError.INTERNAL)
            return [pb_utils.InferenceResponse(error=failure) for _ in requests]
        ends = np.cumsum([len(batch) for batch in batches])[:-1]
        parts = [np.split(output, ends) for output in outputs]
        return [self._response(request, rows) for request, *rows in zip(requests, *parts, strict=True)]

    def _response(self, request: Any, rows: list[Any]) -> Any:
        wanted = request.requested_output_names()
        tensors = [
            pb_utils.Tensor(name, np.ascontiguousarray(array))
            for name, array in zip(self._outputs, rows, strict=True)
            if name in wanted
        ]
        return pb_utils.InferenceResponse(output_tensors=tensors)


def _by_index(outputs: list[dict[str, Any]]) -> list[str]:
    """Output names in the order in which the module returns them: `<name>__<index>`."""
    return sorted((output["name"] for output in outputs), key=lambda name: int(name.rpartition("__")[2]))
