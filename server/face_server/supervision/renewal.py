"""New instances of a model in the place of dead ones, in the background, while the others go on.

Triton's model control takes a configuration along. One that differs in its instances only makes Triton end those that
are no longer in it and start those that are new; the rest serve all the while. Triton knows an instance by what its
group says, apart from name and count: groups that must be told apart differ in a priority, which only Triton's rate
limiter would read.
"""

import json
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from face_server.http_api import NoAnswer, TooLate, answered, ask
from face_server.supervision.stubs import Stub

Group = dict[str, Any]
"""One of the `instance_group` of a model's configuration."""

# A large network that is compiled or optimised on a busy machine.
_LOAD_SECONDS = 300.0

# The end of an instance takes a few at most. Triton waits for ever where a process was killed while it reported a
# metric, wrote a line of its log or asked for cancellation (python_backend's StubToParentMQMonitor).
_END_SECONDS = 60.0


def without(groups: list[Group], dead: Collection[str]) -> list[Group]:
    """The groups that have none of the dead instances."""
    return [group for group in groups if not instances(group) & set(dead)]


def renewed(groups: list[Group], dead: Collection[str], model: str) -> list[Group]:
    """The same number of instances, with new groups for those that have dead ones."""
    kept = without(groups, dead)
    number = 1 + max(_number(group) for group in groups)
    lost = [group for group in groups if group not in kept]
    return kept + [
        {**group, "name": f"{model}_{number + i}", "rate_limiter": {"priority": number + i}}
        for i, group in enumerate(lost)
    ]


def instances(group: Group) -> set[str]:
    """The names that Triton gives them."""
    return {f"{group['name']}_{i}" for i in range(group["count"])}


def _number(group: Group) -> int:
    """The highest that its name or its priority has."""
    digits = re.search(r"\d+$", group["name"])
    return max(int(digits[0]) if digits else 0, group.get("rate_limiter", {}).get("priority", 0))


@dataclass(frozen=True)
class ModelControl:
    """The models of a running server. All methods raise NoAnswer."""

    url: str
    key: str

    def config(self, model: str) -> Mapping[str, Any]:
        """The configuration that a model runs with."""
        return dict(ask(f"{self.url}/v2/models/{model}/config"))

    def set_groups(self, model: str, groups: list[Group], seconds: float) -> None:
        """Returns when the new instances are ready and the others gone. Raises TooLate after so many seconds."""
        # A string in the JSON of the request.
        config = json.dumps({**self.config(model), "instance_group": groups})
        load = {"parameters": {"config": config}}
        ask(f"{self.url}/v2/repository/models/{model}/load", load, self.key, seconds)

    def answered(self, model: str) -> int:
        """Requests that a model has answered well."""
        return answered(self.url, model)


@dataclass
class Backoff:
    """Pauses that double with every time in the last `window` seconds: 0, first, 2·first … longest.

    limit: so many times in a window, and no more; None for any number.
    """

    first: float = 1.0
    longest: float = 30.0
    window: float = 600.0
    limit: int | None = None
    _times: deque[float] = field(default_factory=deque)

    def next_pause(self, now: float) -> float | None:
        """Seconds to wait before this time; None where the limit is reached. now: a clock that never goes back."""
        while self._times and self._times[0] <= now - self.window:
            self._times.popleft()
        count = len(self._times)
        if self.limit is not None and count >= self.limit:
            return None
        self._times.append(now)
        return min(self.longest, self.first * 2.0 ** (count - 1)) if count else 0.0


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
