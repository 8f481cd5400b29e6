"""What can go wrong, as one tree.

    FaceError
      InvalidInput          the request is wrong; sending it again cannot help
        InvalidImage        its picture cannot be read; also raised locally, before anything is sent
      ServerUnavailable     nobody answers, the model is not loaded, or its queue is full
      DeadlineExceeded      no answer within `timeout`
      Cancelled             the call was given up, by this client or by the server
      ServerError           anything else: a fault of the server

Every message is one sentence for the person who made the request.
"""

from __future__ import annotations


class FaceError(Exception):
    """Base of everything that this package raises on purpose."""


class InvalidInput(FaceError):
    """The request breaks the contract: a tensor, an image or a parameter is wrong."""


class InvalidImage(InvalidInput):
    """Bytes or an image object that give no RGB picture, or one with more pixels than allowed."""


class ServerUnavailable(FaceError):
    """The server cannot take the request now: not reachable, model not loaded, or queue full."""


class DeadlineExceeded(FaceError):
    """The answer did not come within the timeout, all retries counted."""


class Cancelled(FaceError):
    """The call was cancelled before it was answered."""


class ServerError(FaceError):
    """The server failed on a request that may be perfectly good."""


_BY_STATUS = {
    "INVALID_ARGUMENT": InvalidInput,
    "UNAVAILABLE": ServerUnavailable,
    # Triton's word for a model that is not loaded.
    "NOT_FOUND": ServerUnavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
}


def error_from_status(status: str | None, message: str) -> FaceError:
    """The error for a gRPC status.

    status: its name, bare or as tritonclient writes it ("StatusCode.UNAVAILABLE"); None where there is none.
    """
    name = (status or "").rpartition(".")[2]
    return _BY_STATUS.get(name, ServerError)(message or name or "The server gave no reason.")
