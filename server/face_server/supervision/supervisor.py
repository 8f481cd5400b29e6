"""Keeps a server answering: notices what Triton's own health does not, and renews what broke.

- A stub died: known at once. Its instance is taken out of service and started anew; the other instances go on.
- Triton itself ended, a renewal failed, or canaries fail or hear nothing: Triton is started again on the same ports.
- That becomes too often: an end with a message, for whoever supervises this process.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from face_server.errors import GaveUp, ServerError, StartError
from face_server.launcher import STOP_SECONDS, EmbeddedTriton
from face_server.supervision.health import Health
from face_server.supervision.renewal import Backoff
from face_server.supervision.watch import Broken, Patience, Watch

_TICK_SECONDS = 0.2

# A broken server has little to finish.
_GRACE_SECONDS = 5.0

_RESTARTS, _WINDOW_SECONDS = 5, 600.0


class Supervisor:
    """A server that is started, and kept answering while `run` runs. Use `with`.

    health: is kept up to date. say: is told what happens, in a line.

    Raises (on entering):
        SetupError, StartError: as EmbeddedTriton, or the server is ready but does not answer.
    """

    def __init__(
        self,
        triton: EmbeddedTriton,
        health: Health,
        say: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        self.triton = triton
        self._health = health
        self._say = say
        self._patience = patience or Patience()
        self._restarts = Backoff(window=_WINDOW_SECONDS, limit=_RESTARTS)
        self._watch: Watch | None = None

    def __enter__(self) -> "Supervisor":
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        # Whoever knows the ports will find the server there after a restart.
        http, grpc, metrics = self.triton.ports
        self.triton.settings = replace(self.triton.settings, http_port=http, grpc_port=grpc, metrics_port=metrics)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._health.failed("stopping")
        self._stop()

    def run(self, until: Callable[[], bool]) -> None:
        """Returns when `until` says so; asked several times a second.

        Raises:
            GaveUp: the server had to be started again too often.
        """
        while not until():
            try:
                assert self._watch is not None
                self._watch.look(_TICK_SECONDS)
            except Broken as error:
                self._restart(str(error), error.what)

    def _restart(self, reason: str, what: str) -> None:
        # Five starts that take long and fail are spread over more than the window.
        failed = 0
        while True:
            self._health.failed(f"restarting: {what}")
            pause = self._restarts.next_pause(time.monotonic())
            if pause is None or failed == _RESTARTS:
                raise GaveUp(
                    f"Triton had to be started again {_RESTARTS} times, one after the other or in "
                    f"{_WINDOW_SECONDS / 60:g} minutes, so this is given up; the last time because: {reason}"
                )
            self._say(f"{reason}; Triton is started again{f' in {pause:g} s' if pause else ''}")
            self._stop(_GRACE_SECONDS)
            time.sleep(pause)
            started = time.monotonic()
            try:
                self._start()
            except ServerError as error:
                failed += 1
                reason, what = str(error), "a start failed"
                continue
            self._health.restarts += 1
            self._say(f"Triton answers again after {time.monotonic() - started:.1f} s")
            return

    def _start(self) -> None:
        self.triton.start()
        self._watch = Watch(self.triton, self._health, self._say, self._patience)
        try:
            self._watch.prove()
        except Broken as error:
            raise StartError(str(error)) from error

    def _stop(self, grace: float = STOP_SECONDS) -> None:
        watch, self._watch = self._watch, None
        if watch:
            watch.close()
        self.triton.stop(grace)
