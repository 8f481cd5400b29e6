"""Callers of the two models, for locust."""

import itertools
import time
from collections.abc import Iterator
from random import Random
from typing import ClassVar

import gevent
from gevent.pool import Group
from locust import User, task
from locust.exception import StopUser

from face_bench.wire import EXPECTED, MODEL, PAUSE_AFTER_ERROR_S, RECOGNITION, REJECTED, Request, WireClient, ask
from face_client.options import DEFAULT_URL
from face_load.plan import Plan
from face_load.schedule import arrivals


class RequestFailed(Exception):
    """How locust is told of an outcome that is none of those expected."""


class FaceUser(User):
    """One caller with a connection of its own.

    Closed loop: asks, waits for the answer, thinks, asks again. Open loop: asks when a request is due; answers come
    when they come.
    """

    abstract = True
    host = DEFAULT_URL
    model: ClassVar[str]
    plan: ClassVar[Plan | None] = None
    """Made when a run starts; None where it could not be."""

    _numbers = itertools.count()

    def on_start(self) -> None:
        if self.plan is None:
            return
        self._plan = self.plan
        # Workers of a distributed run have numbers, too: no two users do the same.
        worker = getattr(self.environment.runner, "worker_index", 0)
        self._random = Random(f"{self._plan.seed} {worker} {next(self._numbers)}")
        self._client = WireClient(self.environment.host or self.host)
        self._flights = Group()
        self._later: Iterator[float] = iter(())
        self._due: float | None = None
        if self._plan.rate:
            start = time.perf_counter()
            self._later = (start + at for at in arrivals(self._plan.rate, self._plan.arrivals, self._random))
            self._due = next(self._later)

    def wait_time(self) -> float:
        """Between requests."""
        return self._plan.think_s if self._due is None else max(0.0, self._due - time.perf_counter())

    @task
    def call(self) -> None:
        if self.plan is None:
            # Nothing to send; the log says why, and `hooks` ends the run.
            raise StopUser
        request = self._plan.choose(self.model, self._random)
        if self._due is None:
            if self._ask(request, time.perf_counter()) == REJECTED:
                gevent.sleep(PAUSE_AFTER_ERROR_S)
            return
        # Locust runs the first task without a wait.
        gevent.sleep(self.wait_time())
        self._flights.start(gevent.Greenlet(self._ask, request, self._due))
        self._due = next(self._later)

    def on_stop(self) -> None:
        """Waits for answers that are under way: none takes longer than its deadline."""
        if self.plan is not None:
            self._flights.join()
            self._client.close()

    def _ask(self, request: Request, due: float) -> str:
        sent = time.perf_counter()
        outcome = ask(self._client, request, max(0.001, due + self._plan.deadline_s - sent))
        ended = time.perf_counter()
        self._plan.record(due, sent, ended, request.name, outcome)
        self.environment.events.request.fire(
            request_type="gRPC",
            name=request.name,
            response_time=1e3 * (ended - due),
            response_length=0,
            exception=None if outcome in EXPECTED else RequestFailed(outcome),
            context={"outcome": outcome},
        )
        return outcome


class Detection(FaceUser):
    """Asks `mtcnn` for boxes and landmarks."""

    model = MODEL
    weight = 3


class Recognition(FaceUser):
    """Asks `face_recognition` for embeddings as well. Left out where the server has no `facenet`."""

    model = RECOGNITION
