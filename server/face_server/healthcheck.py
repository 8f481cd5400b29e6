"""Whether the server of this container answers, for container engines:

    python3 -m face_server.healthcheck [http://127.0.0.1:8000]

Every model must say that it is ready, and the cascade look at a small picture: a model whose process is dead says
that it is ready as well. Where the picture waits too long or finds a full queue, and others are answered meanwhile, the
server is busy, which is no illness: to take it away would leave its load to the next one. Over HTTP and loopback, which
is there with TLS too. Ends with status 0, or 1 and a sentence.
"""

import os
import sys
import time
from collections.abc import Sequence

from face_client import FaceClient
from face_client.canary import ask_canary
from face_client.errors import DeadlineExceeded, FaceError, ServerOverloaded
from face_repository.layout import CASCADE, IDENTIFICATION, REQUIRED
from face_runtime.settings import GALLERY_VARIABLE
from face_server.http_api import HttpTransport, NoAnswer, answered
from face_server.ports import LOOPBACK
from face_server.settings import DEFAULT_PORTS

MODELS_VARIABLE = "TRITON_FACES_MODELS"
"""Names of models, with spaces between; unset: those that every server of ours has. With a gallery its own come too."""

_READY_SECONDS = 1.0
_LOOK_SECONDS = 0.5
CANARY_SECONDS = 8.0
"""On a busy server it waits in the queue like every other request."""


def problem(url: str, models: Sequence[str]) -> str:
    """What is wrong, in a sentence; empty where nothing is. url: http://host:port."""
    transport = HttpTransport(url)
    for model in models:
        if not transport.is_ready(model, _READY_SECONDS):
            return f"model {model} is not ready at {url}"
    until = time.monotonic() + CANARY_SECONDS
    try:
        before = answered(url, CASCADE, _READY_SECONDS)
        ask_canary(FaceClient(transport=transport, timeout=CANARY_SECONDS, retries=0))
    except (FaceError, NoAnswer) as error:
        late = isinstance(error, (DeadlineExceeded, ServerOverloaded))
        if not late or not _others_are_answered(url, before, until):
            return f"no answer to a small picture: {error}"
    return ""


def _others_are_answered(url: str, before: int, until: float) -> bool:
    """Whether the cascade answers more than `before`. A full queue refuses at once: looks until a time of the clock."""
    while True:
        try:
            if answered(url, CASCADE, _READY_SECONDS) > before:
                return True
        except NoAnswer:
            return False
        if time.monotonic() >= until:
            return False
        time.sleep(_LOOK_SECONDS)


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    url = arguments[0] if arguments else f"http://{LOOPBACK}:{DEFAULT_PORTS[0]}"
    models = [*(os.environ.get(MODELS_VARIABLE, "").split() or REQUIRED)]
    if os.environ.get(GALLERY_VARIABLE):
        models += IDENTIFICATION
    found = problem(url, models)
    if found:
        print(found, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
