"""What can go wrong, as one tree.

    FaceError
      InvalidInput          the request is wrong; sending it again cannot help
        InvalidImage        its picture cannot be read, whether this process noticed or the server
          TooManyPixels     it has more pixels than allowed, and may be in order otherwise
        NoFace              a picture shows no face where one is needed
      ServerUnavailable     nobody answers, the server is going or gave the call up, or a model's process died
        ServerOverloaded    the model's queue is full
        ModelNotLoaded      the server is there and has no such model
      UnfitWeights          the server's FaceNet has weights that do not do for this
      DeadlineExceeded      no answer within `timeout`
      Cancelled             the client was closed before the answer came
      VideoError            a video or a camera cannot be read, or a video cannot be written
      ServerError           anything else: a fault of the server

Every message is one sentence for the person who made the request.
"""

from __future__ import annotations

import re

from face_pictures.errors import FaceError as FaceError
from face_pictures.errors import InvalidImage as InvalidImage
from face_pictures.errors import InvalidInput as InvalidInput
from face_pictures.errors import TooManyPixels as TooManyPixels
from face_pictures.errors import picture_error


class NoFace(InvalidInput):
    """A picture without a face where one is needed. Finding none is an answer everywhere else."""


class ServerUnavailable(FaceError):
    """The server cannot take the request now; the client tries again.

    of_endpoint: whether it says something about the server that was asked, so that others are better asked instead.
    """

    of_endpoint = True


class ServerOverloaded(ServerUnavailable):
    """The server has more to do than it can: the model's queue is full. More requests make it worse."""


class ModelNotLoaded(ServerUnavailable):
    """The server answers, and has no such model. Another server may; asking this one again cannot help."""

    of_endpoint = False


class UnfitWeights(FaceError):
    """FaceNet answers, with weights that do not do for what was asked: random ones where faces are to be told apart, or
    ones without a classifier where logits are wanted. Asking again cannot help; `faces export --facenet` can."""


class DeadlineExceeded(FaceError):
    """The answer did not come within the timeout, all retries counted."""


class Cancelled(FaceError):
    """The client was closed before the answer came."""


class VideoError(FaceError):
    """A video or a camera that cannot be read, or a video that cannot be written."""


class ServerError(FaceError):
    """The server failed on a request that may be perfectly good."""


_BY_STATUS: dict[str, type[FaceError]] = {
    "INVALID_ARGUMENT": InvalidInput,
    "UNAVAILABLE": ServerUnavailable,
    "NOT_FOUND": ModelNotLoaded,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    # Whoever asks is still there: it was the server that gave the call up, as one does in its last moment.
    "CANCELLED": ServerUnavailable,
}

_BY_HTTP_STATUS = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

# Words that say more than the status that comes with them.
_BY_WORDS: tuple[tuple[re.Pattern[str], type[FaceError]], ...] = (
    (re.compile("maximum queue size"), ServerOverloaded),
    # INTERNAL: the Python process of a model died. Another instance, or a new one, will answer.
    (re.compile("is not healthy"), ServerUnavailable),
    # UNAVAILABLE: recognition on a server without FaceNet.
    (re.compile("^model [^ ]+ is not loaded"), ModelNotLoaded),
)

# UNAVAILABLE: a model that is being loaded, or whose loading failed. The server's other models may serve.
_OF_A_MODEL = re.compile("^Request for unknown model: ")

# Triton says first which ensemble of models a step failed in.
_ENSEMBLE = re.compile(r"^in ensemble '[^']*', ")

# Triton refuses all requests of a batch when one of them has bytes that lie about their length. This client's never do.
_OF_A_NEIGHBOUR = re.compile(r"^(incomplete|unexpected number of) string .* for inference input '")


def error_from_status(status: str | None, message: str) -> FaceError:
    """The error for a gRPC status and Triton's words, of a call that this client did not give up itself.

    status: its name, bare or as gRPC's enumeration writes it ("StatusCode.UNAVAILABLE"); None where there is none.
    """
    name = (status or "").rpartition(".")[2]
    message = _ENSEMBLE.sub("", message)
    kind = _BY_STATUS.get(name, ServerError)
    if kind is InvalidInput:
        if _OF_A_NEIGHBOUR.search(message):
            return _of_no_endpoint(f"another request in the same batch was malformed: {message}")
        return picture_error(message) or InvalidInput(message)
    if kind is ServerUnavailable and _OF_A_MODEL.search(message):
        return _of_no_endpoint(message)
    if kind in (ServerError, ServerUnavailable):
        kind = next((kind for words, kind in _BY_WORDS if words.search(message)), kind)
    return kind(message or name or "The server gave no reason.")


def _of_no_endpoint(message: str) -> ServerUnavailable:
    error = ServerUnavailable(message)
    error.of_endpoint = False
    return error


def error_from_http(status: int | None, message: str) -> FaceError:
    """The error for an HTTP status and Triton's words. status: None where there was no answer."""
    # Triton's 400 is also that of a full queue.
    if status == 400 and message.startswith("Exceeds maximum queue size"):
        status = 503
    return error_from_status("UNAVAILABLE" if status is None else _BY_HTTP_STATUS.get(status), message)


def reason(error: FaceError | OSError) -> str:
    """One line; the path is named before it already."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    # So that whoever runs the server finds it in the log.
    return f"{error} (request {error.request_id})" if error.request_id else str(error)
