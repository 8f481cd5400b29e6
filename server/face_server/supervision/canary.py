"""Whether a running server answers, and if not, whether it is only busy."""

import time
from dataclasses import dataclass
from enum import Enum

from face_client import FaceClient
from face_client.canary import ask_canary
from face_client.errors import DeadlineExceeded, FaceError, ServerOverloaded
from face_repository.layout import CASCADE
from face_server.http_api import HttpTransport, NoAnswer
from face_server.launcher import EmbeddedTriton
from face_server.supervision.renewal import ModelControl
from face_server.supervision.stubs import StubWatch

# Of one core, over the time of waiting: a stub that computes so much is at work.
_AT_WORK = 0.1


def canary_client(triton: EmbeddedTriton, deadline: float) -> FaceClient:
    """For canaries to a server on this machine. deadline: seconds for an answer."""
    if triton.settings.tls:
        return FaceClient(transport=HttpTransport(triton.http_url), timeout=deadline, retries=0)
    # As any client would come, but for what the environment says of TLS: that is about other servers.
    return FaceClient(triton.grpc_url, timeout=deadline, retries=0, tls=None)


class Verdict(Enum):
    ANSWERED = "answered"
    BUSY = "busy"
    """No answer in time, but others had theirs, or the model computes: there is much to do."""
    SILENT = "silent"
    """No answer in time, and nothing moves."""
    FAILED = "failed"
    """An error for an answer."""


@dataclass(frozen=True)
class Result:
    verdict: Verdict
    seconds: float
    error: str = ""


class Canary:
    """Asks one server for the face in a small picture, as any client would, through all its networks.

    recognition: whether FaceNet is loaded.
    """

    def __init__(self, client: FaceClient, control: ModelControl, stubs: StubWatch, recognition: bool) -> None:
        self._client = client
        self._control = control
        self._stubs = stubs
        self._recognition = recognition

    def ask(self) -> Result:
        """Takes up to the deadline, and a little more to find out why there was no answer."""
        started, before = time.monotonic(), self._work()
        try:
            ask_canary(self._client, self._recognition)
        except (DeadlineExceeded, ServerOverloaded) as error:
            verdict = self._verdict(before, time.monotonic() - started)
            return Result(verdict, time.monotonic() - started, str(error))
        except FaceError as error:
            return Result(Verdict.FAILED, time.monotonic() - started, str(error))
        return Result(Verdict.ANSWERED, time.monotonic() - started)

    def close(self) -> None:
        self._client.close()

    def _verdict(self, before: tuple[int, float], seconds: float) -> Verdict:
        answered, computed = self._work()
        at_work = 0 < before[0] < answered or computed - before[1] > _AT_WORK * seconds
        return Verdict.BUSY if at_work else Verdict.SILENT

    def _work(self) -> tuple[int, float]:
        """Requests that the cascade has answered, and processor seconds that the models have used."""
        try:
            answered = self._control.answered(CASCADE)
        except NoAnswer:
            answered = 0
        return answered, self._stubs.computed_seconds()
