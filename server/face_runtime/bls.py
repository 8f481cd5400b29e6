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
    trace = _trace.get()
    response = pb_utils.InferenceRequest(
        model_name=network.name,
        model_version=version,
        inputs=[pb_utils.Tensor(network.input, batch)],
        requested_output_names=list(wanted),
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
        **({} if trace is None else {"trace": trace}),
    ).exec()
    if response.has_error():
        error = response.error()
        raise Refused(NETWORK, f"model {network.name}: {error.message()}", error.code())
    return tuple(pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in wanted)


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
