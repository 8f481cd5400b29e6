"""Retries: how often, after what, and within what."""

import time

import pytest

from face_client import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelNotLoaded,
    RetryBudget,
    ServerError,
    ServerOverloaded,
    ServerUnavailable,
)
from face_client.retry import Attempts, backoff


class Failing:
    """A transport's reply: fails with an error the first times, then answers."""

    def __init__(self, error, times, response=None):
        self.error, self.times, self.response = error, times, response
        self.calls = 0

    def __call__(self, _request):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error("no")
        return self.response


@pytest.fixture
def call(twin, make_transport, make_answer, picture):
    """call(failing): the time that each attempt had, and the pauses, which nobody waits for."""

    def run(failing, timeout=60, retries=5, budget=None):
        failing.response = make_answer(1)
        client = twin(transport=make_transport(failing), timeout=timeout, retries=retries, retry_budget=budget)
        waited = client.pauses()
        assert len(client.detect(picture)) == 1
        return client._transport.timeouts, waited

    return run


@pytest.mark.parametrize("error", [ServerUnavailable, ServerOverloaded])
def test_asks_again_after_pauses_that_double(error, call):
    left, waited = call(Failing(error, 3))
    assert [0.1 * 2**i * 0.5 <= pause <= 0.1 * 2**i for i, pause in enumerate(waited)] == [True] * 3
    assert left == sorted(left, reverse=True)


def test_gives_up_after_the_retries(call):
    failing = Failing(ServerUnavailable, 100)
    with pytest.raises(ServerUnavailable):
        call(failing, retries=4)
    assert failing.calls == 5


@pytest.mark.parametrize("error", [InvalidInput, DeadlineExceeded, Cancelled, ServerError, ModelNotLoaded])
def test_nothing_else_is_asked_again(error, call):
    failing = Failing(error, 1)
    with pytest.raises(error):
        call(failing)
    assert failing.calls == 1


def test_never_waits_beyond_the_timeout():
    """There would be no time for an answer."""
    attempts, pauses = Attempts(0.5, 1000, RetryBudget()), []
    while (pause := attempts.pause(ServerUnavailable("no"))) is not None:
        pauses.append(pause)
        assert attempts.left() > 0
        time.sleep(pause)
    # At most 0.3 s of pauses fit before one that does not.
    assert 1 <= len(pauses) <= 4
    assert sum(pauses) < 0.5


def test_no_time_left():
    attempts = Attempts(0.0, 5, RetryBudget())
    with pytest.raises(DeadlineExceeded, match="no answer within the timeout of 0 s"):
        attempts.left()


def test_what_is_refused_is_asked_again_within_the_budget_only(call):
    budget = RetryBudget(share=0.5)
    asked = 0
    for _ in range(100):
        failing = Failing(ServerOverloaded, 1000)
        with pytest.raises(ServerOverloaded):
            call(failing, retries=50, timeout=1000, budget=budget)
        asked += failing.calls
    assert 100 + 50 <= asked <= 100 + 50 + 10


def test_a_server_that_is_gone_costs_no_budget(call):
    budget = RetryBudget(share=0)
    for _ in range(30):
        assert len(call(Failing(ServerUnavailable, 3), budget=budget)[1]) == 3
    assert budget.spend()


def test_pauses_are_random_and_end_at_two_seconds():
    assert len({backoff(3) for _ in range(20)}) > 15
    assert all(1 <= backoff(attempt) <= 2 for attempt in (5, 20, 9000))
