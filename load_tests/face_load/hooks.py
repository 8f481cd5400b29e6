"""What happens around a run: options, the users that the server can serve, the plan, the samples."""

import logging
from argparse import Namespace
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner

from face_client import FaceClient
from face_load import options, stages
from face_load.errors import LoadError
from face_load.plan import Plan
from face_load.shape import Staged
from face_load.users import FaceUser, Recognition

_log = logging.getLogger(__name__)

_SECONDS_TO_STOP = 5.0
_SECONDS_UNTIL_STARTED = 1.0


def install() -> None:
    """Connects everything here to locust's events."""
    events.init_command_line_parser.add_listener(options.add_options)
    events.init.add_listener(_prepare)
    events.test_start.add_listener(_start)
    events.test_stop.add_listener(_stop)


def _prepare(environment: Environment, **_: Any) -> None:
    given = _options(environment)
    # Answers that are under way at the end count: nobody is cut off before the deadline.
    environment.stop_timeout = environment.stop_timeout or float(given.deadline) + _SECONDS_TO_STOP
    if given.stages:
        environment.shape_class = Staged(stages.parse(given.stages))
        environment.shape_class.runner = environment.runner
    _leave_out_recognition(environment)
    if given.headless:
        # Now, so that it takes nothing from the time that the run may take; the web page may still change everything.
        _plan(environment)


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
    except LoadError as error:
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
