"""A request on its way through an execution, and what becomes of it: a response, or an error with a reason.

Imports neither the cascade's kernels nor its pictures: the smallest process uses it.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

_LONGEST_ID = 64

# Triton's process is asked whether a caller is still there, which takes 0.1 ms; several times within a short picture
# was 1 ms of its 50.
_ASK_AGAIN_S = 0.05

# Reasons of refusals.

CALLERS = ("parameter", "input", "image", "too_large", "answer_too_large")
"""The caller's fault: a parameter, the tensors given, bytes that are no picture, more pixels or candidates than
allowed, crops beyond what an answer can hold."""

NETWORK = "network"
"""A network did not answer."""

MEMORY = "memory"
"""Memory ran out."""

CANCELLED = "cancelled"
"""The caller is gone, which is nobody's fault."""


class Refused(Exception):
    """What a request gets instead of an answer.

    reason: one word for metrics and log: one of CALLERS, CANCELLED, or else the server's fault. message: one sentence
    for the caller. code: Triton's, INVALID_ARG if none is given.
    """

    def __init__(self, reason: str, message: str, code: Any = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = pb_utils.TritonError.INVALID_ARG if code is None else code


class Outcome(NamedTuple):
    """What is told of a request, also when that is gone with its tensors.

    refusal: None for one that was answered. trace: the W3C headers of the span that Triton made for it, in JSON; empty
    where it traces none.
    """

    id: str
    refusal: Refused | None
    trace: str


class Request:
    """One request of an execution: open until it is answered or refused.

    triton: the request as Triton's module has it. refusal: why it gets an error, once that is known.
    """

    def __init__(self, triton: Any) -> None:
        self.triton = triton
        self.refusal: Refused | None = None
        self._tensors: list[Any] | None = None
        self._gone = False
        self._asked_at = -math.inf

    @property
    def id(self) -> str:
        """As the log shows it: whatever the caller chose, but not of any length. Empty if it has none."""
        return str(self.triton.request_id())[:_LONGEST_ID]

    @property
    def is_open(self) -> bool:
        return self.refusal is None and self._tensors is None

    @property
    def is_answered(self) -> bool:
        return self._tensors is not None

    @property
    def is_gone(self) -> bool:
        """Whether its caller has hung up or its deadline has passed, as it was 50 ms ago at most."""
        now = time.monotonic()
        if not self._gone and now >= self._asked_at + _ASK_AGAIN_S:
            self._gone, self._asked_at = bool(self.triton.is_cancelled()), now
        return self._gone

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.id, self.refusal, self.triton.trace().get_context() or "")

    def refuse_if_gone(self) -> None:
        """Callers who are gone take no time of the others."""
        if self.is_gone:
            self.refusal = caller_is_gone()

    def tensor(self, name: str) -> Any:
        """An input as an array, or as torch's tensor where it lies on a GPU; None where it is not given."""
        given = pb_utils.get_input_tensor_by_name(self.triton, name)
        if given is None or given.is_cpu():
            return None if given is None else given.as_numpy()
        # Only where a model is handed such tensors at all, and its process then needs it.
        import torch

        return torch.from_dlpack(given.to_dlpack())

    def give(self, outputs: dict[str, Any]) -> None:
        """Answers it, with these arrays by the names of their outputs; torch's tensors stay where they lie."""
        self.give_tensors(
            [
                pb_utils.Tensor(name, array)
                if isinstance(array, np.ndarray)
                else pb_utils.Tensor.from_dlpack(name, array)
                for name, array in outputs.items()
            ]
        )

    def give_tensors(self, tensors: list[Any]) -> None:
        """The same with Triton's own tensors, wherever they lie."""
        self._tensors = tensors

    def add(self, name: str, array: NDArray[Any]) -> None:
        """One more output of the answer that it has."""
        assert self._tensors is not None, "not answered yet"
        self._tensors.append(pb_utils.Tensor(name, array))

    def response(self) -> Any:
        """What Triton is handed for it."""
        if self.refusal is not None:
            error = pb_utils.TritonError(str(self.refusal), self.refusal.code)
            return pb_utils.InferenceResponse(error=error)
        assert self._tensors is not None, "neither answered nor refused"
        return pb_utils.InferenceResponse(output_tensors=self._tensors)


@contextmanager
def refusing(requests: Sequence[Request], without_memory: str) -> Iterator[None]:
    """Work for these requests: what is Refused within the block, all of them are that are still open.

    Memory that runs out is the server's fault, not the request's: it may be sent again. without_memory: the sentence
    that its caller then gets.
    """
    try:
        yield
    except Refused as error:
        refusal = error
    except MemoryError:
        refusal = Refused(MEMORY, without_memory, pb_utils.TritonError.UNAVAILABLE)
    else:
        return
    for request in requests:
        if request.is_open:
            request.refusal = refusal


def caller_is_gone() -> Refused:
    """For a request that nobody waits for any more: nobody reads the sentence."""
    return Refused(CANCELLED, "the caller is gone", pb_utils.TritonError.CANCELLED)


def check_callers(requests: Sequence[Request]) -> None:
    """Raises Refused where nobody waits for any of these requests any more."""
    if all(request.is_gone for request in requests):
        raise caller_is_gone()


def real_rows(stacked: Any, counts: NDArray[np.int32], name: str, what: str) -> list[Any]:
    """Of each image [N, …] the first so many rows, without those that only fill up.

    Raises Refused for a count that cannot be. name: of the counts' tensor; what: an image has.
    """
    most = stacked.shape[1]
    wrong = counts[(counts < 0) | (counts > most)]
    if len(wrong):
        raise Refused("input", f"{name} is {wrong[0]}, must be from 0 to {most}, the {what} of an image")
    return [image[:count] for image, count in zip(stacked, counts, strict=True)]
