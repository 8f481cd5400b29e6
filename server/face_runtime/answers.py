"""Answers of our models, and requests that get an error instead. Imports no cascade: small processes use it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

# What every model of ours does to answer. Imports no cascade: the smallest process may use it.


def rows(parts: Sequence[NDArray[Any]], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Stacks [Nᵢ, *shape] arrays to [B, max N, *shape], zeros behind the real rows."""
    stacked = np.zeros((len(parts), max(map(len, parts)), *shape), dtype)
    for row, part in zip(stacked, parts, strict=True):
        row[: len(part)] = part
    return stacked


def failure(message: str, code: Any) -> Any:
    """The response to a request that has no other; `code` is one of `pb_utils.TritonError`."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))


# Requests that get an error instead of an answer: one word for metrics and log, one sentence for the caller.


CALLERS = ("parameter", "input", "image", "too_large", "answer_too_large")
"""Reasons that are the caller's: a parameter, the tensors given, bytes that are no picture, more pixels than allowed,
crops beyond what an answer can hold."""

OURS = ("network", "memory")
"""Reasons that are the server's: a network did not answer, memory ran out."""

CANCELLED = "cancelled"
"""The caller is gone."""

REASONS = (*CALLERS, *OURS, CANCELLED)


class Refused(Exception):
    """A request that gets an error: one of REASONS, one sentence for the caller, and Triton's code, INVALID_ARG if none
    is given."""

    def __init__(self, reason: str, message: str, code: Any = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = pb_utils.TritonError.INVALID_ARG if code is None else code

    def response(self) -> Any:
        return failure(str(self), self.code)


def caller_is_gone() -> Refused:
    """For a request whose caller has hung up, or whose deadline has passed: nobody reads the sentence."""
    return Refused(CANCELLED, "the caller is gone", pb_utils.TritonError.CANCELLED)
