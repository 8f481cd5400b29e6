"""Renewing the instances of models whose stubs died, in the background."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor

from face_server.backoff import Backoff
from face_server.http_api import NoAnswer, TooLate
from face_server.renewal import ModelControl, renewed, without
from face_server.stubs import Stub

# A large network that is compiled or optimised on a busy machine.
_LOAD_SECONDS = 300.0

# The end of an instance takes a few at most. Triton waits for ever where a process was killed while it reported a
# metric, wrote a line of its log or asked for cancellation (python_backend's StubToParentMQMonitor).
_END_SECONDS = 60.0


class RenewalFailed(Exception):
    """Triton did not start the new instance, with its reason."""


def died(instances: Collection[str]) -> str:
    """What happened to instances, for people."""
    return f"the process of {' and that of '.join(sorted(instances))} died"


class Renewals:
    """Of one running server. One at a time for a model, models side by side.

    answers: whether the server does, as far as is known. say: is told what happens, in a line.
    """

    def __init__(self, control: ModelControl, answers: Callable[[], bool], say: Callable[[str], None]) -> None:
        self._control = control
        self._answers = answers
        self._say = say
        self._stuck: set[str] = set()
        self._pool = ThreadPoolExecutor(4, "renewal")
        self._closed = threading.Event()
        self._waiting: dict[str, set[str]] = defaultdict(set)
        self._running: dict[str, Future[int]] = {}
        self._backoff: dict[str, Backoff] = defaultdict(Backoff)

    def add(self, dead: list[Stub]) -> None:
        for stub in dead:
            self._waiting[stub.model].add(stub.instance)

    @property
    def is_at_work(self) -> bool:
        return bool(self._waiting or self._running)

    def proceed(self) -> int:
        """Starts what waits, and returns how many instances have been renewed since the last call.

        Raises RenewalFailed.
        """
        count = 0
        for model in [name for name, running in self._running.items() if running.done()]:
            count += self._running.pop(model).result()
        for model in [name for name in self._waiting if name not in self._running]:
            self._running[model] = self._pool.submit(self._renew, model, self._waiting.pop(model))
        return count

    def close(self) -> None:
        """What is not finished is given up."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _renew(self, model: str, dead: set[str]) -> int:
        try:
            return self._replace(model, dead)
        except NoAnswer as error:
            raise RenewalFailed(f"model {model} did not start again: {error}") from error

    def _replace(self, model: str, dead: set[str]) -> int:
        if model in self._stuck:
            raise RenewalFailed(f"{died(dead)}, and Triton still waits for the end of an earlier one")
        groups = self._control.config(model)["instance_group"]
        left = without(groups, dead)
        if len(left) == len(groups):
            # Unloaded, or renewed already.
            return 0
        if left:
            # First of all nothing more must go to the dead ones; the others answer alone for a while.
            self._control.set_groups(model, left, _END_SECONDS)
        pause = self._backoff[model].next_pause(time.monotonic())
        self._say(f"{died(dead)} and will be replaced{f' in {pause:g} s' if pause else ''}")
        if self._closed.wait(pause):
            return 0
        started = time.monotonic()
        try:
            self._control.set_groups(model, renewed(groups, dead, model), _LOAD_SECONDS if left else 2 * _END_SECONDS)
        except TooLate:
            # Without others this was also the end of the dead ones; what Triton waits for may be that.
            if left or not self._answers():
                raise
            self._stuck.add(model)
            self._say(f"model {model} answers again, but Triton waits for what died: the next time it is started again")
        else:
            self._say(f"model {model} is complete again after {time.monotonic() - started:.1f} s")
        return len(dead)
