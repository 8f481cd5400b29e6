"""What can go wrong, as one tree.

    FaceError
      InvalidInput          the request is wrong; sending it again cannot help
        InvalidImage        its picture cannot be read; also raised locally, before anything is sent
          TooManyPixels     it has more pixels than allowed, and may be in order otherwise
        NoFace              a picture shows no face where one is needed
      ServerUnavailable     nobody answers, the model is not loaded, or its process died
        ServerOverloaded    the model's queue is full
      DeadlineExceeded      no answer within `timeout`
      Cancelled             the call was given up, by this client or by the server
      VideoError            a video or a camera cannot be read, or a video cannot be written
      ServerError           anything else: a fault of the server

Every message is one sentence for the person who made the request.
"""

from __future__ import annotations

import re

from face_pictures.errors import FaceError, InvalidImage, InvalidInput, TooManyPixels


class NoFace(InvalidInput):
    """A picture without a face where one is needed. Finding none is an answer everywhere else."""


class ServerUnavailable(FaceError):
    """The server cannot take the request now: not reachable, model not loaded, its process died, or queue full."""


class ServerOverloaded(ServerUnavailable):
    """The server has more to do than it can: the model's queue is full. More requests make it worse."""


class DeadlineExceeded(FaceError):
    """The answer did not come within the timeout, all retries counted."""


class Cancelled(FaceError):
    """The call was cancelled before it was answered."""


class VideoError(FaceError):
    """A video or a camera that cannot be read, or a video that cannot be written."""


class ServerError(FaceError):
    """The server failed on a request that may be perfectly good."""


# Triton says first which ensemble of models a step failed in.
_ENSEMBLE = re.compile(r"^in ensemble '[^']*', ")

_BY_STATUS = {
    "INVALID_ARGUMENT": InvalidInput,
    "UNAVAILABLE": ServerUnavailable,
    # Triton's word for a model that is not loaded.
    "NOT_FOUND": ServerUnavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
}

# Triton's words, which say more than the status it puts with them.
_BY_WORDS = {
    "maximum queue size": ServerOverloaded,
    # INTERNAL: the Python process of a model died. Another instance, or a new one, will answer.
    "is not healthy": ServerUnavailable,
}


# Triton refuses all requests of a batch when one of them has bytes that lie about their length. This client's never do.
_OF_A_NEIGHBOUR = re.compile(r"^(incomplete|unexpected number of) string .* for inference input '")


def error_from_status(status: str | None, message: str) -> FaceError:
    """The error for a gRPC status.

    status: its name, bare or as tritonclient writes it ("StatusCode.UNAVAILABLE"); None where there is none.
    """
    name = (status or "").rpartition(".")[2]
    message = _ENSEMBLE.sub("", message)
    kind: type[FaceError] = _BY_STATUS.get(name, ServerError)
    if kind is InvalidInput and _OF_A_NEIGHBOUR.search(message):
        return ServerUnavailable(f"another request in the same batch was malformed: {message}")
    if kind in (ServerError, ServerUnavailable):
        kind = next((kind for words, kind in _BY_WORDS.items() if words in message), kind)
    return kind(message or name or "The server gave no reason.")


def reason(error: FaceError | OSError) -> str:
    """One line; the path is named before it already."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # So that whoever runs the server finds it in the log.
    return f"{error} (request {error.request_id})" if error.request_id else str(error)


__all__ = [
    "Cancelled",
    "DeadlineExceeded",
    "FaceError",
    "InvalidImage",
    "InvalidInput",
    "NoFace",
    "ServerError",
    "ServerOverloaded",
    "ServerUnavailable",
    "TooManyPixels",
    "VideoError",
    "error_from_status",
    "reason",
]
