"""What became of a request."""

import grpc

from face_bench.load import WRONG_ANSWER
from face_bench.wire import WireClient
from face_load.traffic import LoadRequest

GOOD = "good"
"""Answered, with the faces that the picture has."""

REFUSED = "refused"
"""A bad request that heard INVALID_ARGUMENT, as it must."""

BAD_ANSWERED = "bad request answered"

EXPECTED = (GOOD, REFUSED)
"""All else is an error, by the name of its gRPC status where it has one."""

REJECTED = "UNAVAILABLE"
"""How a server says that it has too much to do."""


def ask(client: WireClient, request: LoadRequest, timeout: float) -> str:
    """Sends a request; the outcome."""
    try:
        faces = client.faces(request.wire, timeout)
    except grpc.RpcError as error:
        status: str = error.code().name
        return REFUSED if request.expected is None and status == "INVALID_ARGUMENT" else status
    if request.expected is None:
        return BAD_ANSWERED
    return GOOD if faces == request.expected else WRONG_ANSWER
