"""What happens around a run of locust: options, stages, the users that the server can serve, the plan, the samples."""

import logging
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import gevent
from grpc.experimental.gevent import init_gevent
from locust import LoadTestShape, events
from locust.env import Environment
from locust.runners import MasterRunner

from face_bench import BenchError
from face_client import FaceClient
from face_load.options import add_options
from face_load.plan import Plan
from face_load.schedule import Stage, parse_stages, users_at
from face_load.users import FaceUser, Recognition

_log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 4000
"""Calls of one process that may wait at a time; each takes a thread meanwhile."""

_SECONDS_TO_STOP = 5.0
_SECONDS_UNTIL_STARTED = 1.0

# As fast as locust can: a stage is its own ramp.
_SPAWN_RATE = 1000.0


def install() -> None:
    """Makes gRPC wait as locust does, and connects everything here to locust's events.

    Call after locust is imported (it patches the standard library) and before gRPC makes its first object.
    """
    init_gevent()
    # gRPC waits in threads of gevent's pool. With the ten that it has by default the eleventh call in flight waits for
    # one of the others, for as long as that takes: an open loop would measure its own queue.
    gevent.get_hub().threadpool.maxsize = MOST_IN_FLIGHT
    events.init_command_line_parser.add_listener(add_options)
    events.init.add_listener(_prepare)
    events.test_start.add_listener(_start)
    events.test_stop.add_listener(_stop)


def _prepare(environment: Environment, **_: Any) -> None:
    given = _options(environment)
    # Answers that are under way at the end count: nobody is cut off before the deadline.
    environment.stop_timeout = environment.stop_timeout or float(given.deadline) + _SECONDS_TO_STOP
    if given.stages:
        environment.shape_class = Staged(parse_stages(given.stages))
        environment.shape_class.runner = environment.runner
    _leave_out_recognition(environment)
    if given.headless:
        # Now, so that it takes nothing from the time that the run may take; the web page may still change everything.
        _plan(environment)


class Staged(LoadTestShape):
    """Users over time, as `--stages` has them; ends the run when the stages are over."""

    # So that locust does not take it by itself from a file that imports it: it is for runs with --stages alone.
    abstract = True

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self._stages = stages

    def tick(self) -> tuple[int, float] | None:
        users = users_at(self._stages, self.get_run_time())
        return None if users is None else (users, _SPAWN_RATE)


def _leave_out_recognition(environment: Environment) -> None:
    """A server without FaceNet's weights would fail every such request."""
    if Recognition not in environment.user_classes:
        return
    with FaceClient(_url(environment)) as client:
        if client.is_ready("mtcnn") and not client.is_ready("facenet"):
            _log.info("the server has no facenet: Recognition is left out")
            environment.user_classes = [c for c in environment.user_classes if c is not Recognition]
            # Those that the web page lets one pick from.
            (environment.available_user_classes or {}).pop(Recognition.__name__, None)


def _start(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        return
    FaceUser.plan = _plan(environment)
    if FaceUser.plan is None and environment.runner:
        # Not at once: the runner has yet to start its users, who then see that there is no plan.
        end = environment.runner.quit if _options(environment).headless else environment.runner.stop
        gevent.spawn_later(_SECONDS_UNTIL_STARTED, end)


def _plan(environment: Environment) -> Plan | None:
    """None, and a line in the log, where there is nothing that could be sent."""
    models = [user.model for user in environment.user_classes if issubclass(user, FaceUser)]
    try:
        return Plan.make(_options(environment), _url(environment), models)
    except BenchError as error:
        environment.process_exit_code = 1
        _log.error("%s", error)
        return None


def _stop(**_: Any) -> None:
    if FaceUser.plan is not None:
        FaceUser.plan.finish()


def _options(environment: Environment) -> Namespace:
    # None only where locust is used as a library.
    assert environment.parsed_options is not None
    return environment.parsed_options


def _url(environment: Environment) -> str:
    return environment.host or FaceUser.host
