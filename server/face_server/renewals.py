"""Renewing the instances of models whose stubs died, in the background."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from face_server.backoff import Backoff
from face_server.http_api import NoAnswer
from face_server.renewal import ModelControl, renewed, without
from face_server.stubs import Stub


class RenewalFailed(Exception):
    """Triton did not start the new instance, with its reason."""


class Renewals:
    """Of one running server. One at a time for a model, models side by side.

    say: is told what happens, in a line.
    """

    def __init__(self, control: ModelControl, say: Callable[[str], None]) -> None:
        self._control = control
        self._say = say
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
        groups = self._control.config(model)["instance_group"]
        left = without(groups, dead)
        if len(left) == len(groups):
            # Unloaded, or renewed already.
            return 0
        if left:
            # First of all nothing more must go to the dead ones; the others answer alone for a while.
            self._control.set_groups(model, left)
        pause = self._backoff[model].next_pause(time.monotonic())
        if pause:
            self._say(f"the process of {', '.join(sorted(dead))} died; a new one is started in {pause:g} s")
            self._closed.wait(pause)
        else:
            self._say(f"the process of {', '.join(sorted(dead))} died; a new one is started")
        started = time.monotonic()
        self._control.set_groups(model, renewed(groups, dead, model))
        self._say(f"model {model} is complete again after {time.monotonic() - started:.1f} s")
        return len(dead)
