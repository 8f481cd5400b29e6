"""Asking a network that is a model of the same server (business logic scripting, BLS)."""

import contextvars
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from face_cascade.calls import Outputs
from face_cascade.networks import Network
from face_runtime.answers import NETWORK, Refused

LATEST = -1
"""The highest version that is loaded."""

_trace: contextvars.ContextVar[Any] = contextvars.ContextVar("trace", default=None)


def ask(network: Network, batch: NDArray[Any], wanted: Sequence[str], version: int = LATEST) -> Outputs:
    """Runs a batch through a version of a network; returns the wanted outputs, in that order.

    One thread of a process at a time: with several, Triton 2.51 crashes when its shared memory grows (seen; as in
    server issue 8882, open in 2026).

    Raises:
        Refused: it did not answer. Triton's code is always INTERNAL in 2.51 (server issue 7804).
    """
    memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)
    answered = _ask(network, pb_utils.Tensor(network.input, batch), wanted, version, memory)
    return tuple(tensor.as_numpy() for tensor in answered)


def ask_with_tensors(network: Network, batch: Any, wanted: Sequence[str], version: int = LATEST) -> tuple[Any, ...]:
    """The same with torch's tensors: on a GPU nothing is copied to the host, neither the batch nor the outputs."""
    import torch

    if batch.device.type == "cuda":
        # The network's process reads the memory itself: it must be written by then.
        torch.cuda.current_stream(batch.device).synchronize()
        memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_GPU, batch.device.index)
    else:
        memory = pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0)
    given = pb_utils.Tensor.from_dlpack(network.input, batch.contiguous())
    answered = _ask(network, given, wanted, version, memory)
    # Where they lie is a wish: there already, if it was granted.
    return tuple(torch.from_dlpack(tensor.to_dlpack()).to(batch.device) for tensor in answered)


def _ask(network: Network, batch: Any, wanted: Sequence[str], version: int, memory: Any) -> list[Any]:
    trace = _trace.get()
    response = pb_utils.InferenceRequest(
        model_name=network.name,
        model_version=version,
        inputs=[batch],
        requested_output_names=list(wanted),
        preferred_memory=memory,
        **({} if trace is None else {"trace": trace}),
    ).exec()
    if response.has_error():
        error = response.error()
        raise Refused(NETWORK, f"model {network.name}: {error.message()}", error.code())
    return [pb_utils.get_output_tensor_by_name(response, name) for name in wanted]


@contextmanager
def first_trace(requests: Sequence[Any]) -> Iterator[None]:
    """Within the block, what is asked here belongs to the trace of the first of these requests that Triton traces: a
    batch is asked for all of them together, and a span has one parent."""
    traces = (request.trace() for request in requests)
    token = _trace.set(next((trace for trace in traces if trace.get_context()), None))
    try:
        yield
    finally:
        _trace.reset(token)
