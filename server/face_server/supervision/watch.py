"""One running server, looked after: its processes, its canaries, its renewals."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from face_repository.layout import OPTIONAL, RECOGNITION
from face_server.launcher import EmbeddedTriton
from face_server.settings import require
from face_server.supervision.canary import Canary, Result, Verdict, canary_client
from face_server.supervision.health import Health
from face_server.supervision.renewal import ModelControl, RenewalFailed, Renewals, died
from face_server.supervision.stubs import StubWatch

# After a failure the next canary goes sooner.
_AGAIN_SECONDS = 1.0

# gRPC lets two seconds pass before it looks again at an address where nobody was, as during a restart.
_FIRST_TRIES = 5

_LONGEST_SECONDS = 86400

_RECOGNITION = {*OPTIONAL, RECOGNITION}


@dataclass(frozen=True)
class Patience:
    """How often to ask, and how long to put up with what. All but `failures` in seconds.

    period, deadline: between canaries, and for their answer.
    failures: so many errors in a row are one too many.
    silence: so long without an answer, while nothing moves, is too long.

    Raises ValueError for a value that cannot be.
    """

    period: float = 5
    deadline: float = 10
    failures: int = 3
    silence: float = 30

    def __post_init__(self) -> None:
        for name in ("period", "deadline", "silence"):
            seconds = getattr(self, name)
            require(name, seconds, 0 <= seconds <= _LONGEST_SECONDS, f"from 0 to {_LONGEST_SECONDS} seconds")
        is_whole = isinstance(self.failures, int) and self.failures >= 1
        require("failures", self.failures, is_whole, "a whole number of at least 1")

    @property
    def answer_counts(self) -> float:
        """Seconds that an answer counts: until the next one is due."""
        return self.period + self.deadline + 1


class Broken(Exception):
    """The server must be started again; the message says why.

    what: of that, what strangers may read: nothing out of logs.
    """

    def __init__(self, what: str, detail: str = "") -> None:
        super().__init__(f"{what}: {detail}" if detail else what)
        self.what = what


class Watch:
    """Looks after one running server. Keeps `health` up to date; `say` is told what happens, in a line."""

    def __init__(self, triton: EmbeddedTriton, health: Health, say: Callable[[str], None], patience: Patience) -> None:
        self._triton = triton
        self._health = health
        self._patience = patience
        control = ModelControl(triton.http_url, triton.admin_key)
        self._stubs = StubWatch(triton.pid)
        self._renewals = Renewals(control, health.is_ready, say)
        recognition = _RECOGNITION.issubset(triton.models)
        client = canary_client(triton, patience.deadline)
        self._canary = Canary(client, control, self._stubs, recognition)
        self._pool = ThreadPoolExecutor(2, "canary")
        self._asked: Future[Result] | None = None
        self._next = 0.0
        self._failures = 0
        self._silent_since: float | None = None

    def prove(self) -> None:
        """The first canary. Raises Broken where it is not answered, or a process has died already."""
        for _ in range(_FIRST_TRIES):
            result = self._canary.ask()
            if result.verdict in (Verdict.ANSWERED, Verdict.BUSY):
                # Another instance has answered, and nobody would ever renew this one.
                if self._stubs.died_unseen():
                    raise Broken("the process of a model died while the server started")
                self._judge(result)
                return
            time.sleep(_AGAIN_SECONDS)
        raise Broken(f"Triton is ready, but does not find the face in a small picture: {result.error}")

    def look(self, seconds: float) -> None:
        """Waits so long for something to happen, and does what it asks for. Raises Broken."""
        dead = self._stubs.wait(seconds)
        if not self._triton.is_running:
            status = self._triton.wait()
            raise Broken(f"Triton ended by itself with status {status}", self._triton.failure_reason)
        self._renewals.add(dead)
        try:
            self._health.renewals += self._renewals.proceed()
        except RenewalFailed as error:
            raise Broken("an instance of a model could not be renewed", str(error)) from error
        if dead:
            # What was asked before says nothing of now.
            self._health.failed(died({stub.instance for stub in dead}))
            self._asked, self._next = None, 0.0
        self._ask_or_listen()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._canary.close()
        self._renewals.close()
        self._stubs.close()

    def _ask_or_listen(self) -> None:
        if self._asked is None:
            if time.monotonic() >= self._next:
                self._asked = self._pool.submit(self._canary.ask)
        elif self._asked.done():
            result, self._asked = self._asked.result(), None
            good = self._judge(result)
            self._next = time.monotonic() + (self._patience.period if good else _AGAIN_SECONDS)

    def _judge(self, result: Result) -> bool:
        """Whether all is well. Raises Broken."""
        if result.verdict in (Verdict.ANSWERED, Verdict.BUSY):
            self._failures, self._silent_since = 0, None
            self._health.passed(result.seconds, "ready" if result.verdict is Verdict.ANSWERED else "busy")
            return True
        self._health.canaries_failed += 1
        self._health.failed(f"{result.verdict.value}: {result.error}")
        # What is being renewed cannot answer yet.
        if not self._renewals.is_at_work:
            self._count(result)
        return False

    def _count(self, result: Result) -> None:
        now = time.monotonic()
        if result.verdict is Verdict.FAILED:
            self._failures += 1
            if self._failures >= self._patience.failures:
                raise Broken(f"{self._failures} canaries in a row failed, the last one with: {result.error}")
        else:
            self._silent_since = self._silent_since or now - result.seconds
            if now - self._silent_since >= self._patience.silence:
                raise Broken(f"no canary was answered for {now - self._silent_since:.0f} s, and nothing moves")
