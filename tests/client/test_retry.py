"""Retries: how often, after what, and within what."""

import time

import pytest

from face_client import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    RetryBudget,
    ServerError,
    ServerOverloaded,
    ServerUnavailable,
)
from face_client.retry import Attempts, backoff, call_with_retries


class Failing:
    """Fails with an error the first times, then answers; remembers what it was given."""

    def __init__(self, error, times):
        self.error, self.times = error, times
        self.left = []

    def __call__(self, left):
        self.left.append(left)
        if len(self.left) <= self.times:
            raise self.error("no")
        return "answer"


def call(failing, timeout=60, retries=5, budget=None, stop=False):
    """The answer, and the pauses, which nobody waits for."""
    waited = []

    def wait(seconds):
        waited.append(seconds)
        return stop

    return call_with_retries(failing, timeout, retries, wait, budget), waited


@pytest.mark.parametrize("error", [ServerUnavailable, ServerOverloaded])
def test_asks_again_after_pauses_that_double(error):
    failing = Failing(error, 3)
    answer, waited = call(failing)
    assert answer == "answer"
    assert [0.1 * 2**i * 0.5 <= pause <= 0.1 * 2**i for i, pause in enumerate(waited)] == [True] * 3
    assert failing.left == sorted(failing.left, reverse=True)


def test_gives_up_after_the_retries():
    failing = Failing(ServerUnavailable, 100)
    with pytest.raises(ServerUnavailable):
        call(failing, retries=4)
    assert len(failing.left) == 5


@pytest.mark.parametrize("error", [InvalidInput, DeadlineExceeded, Cancelled, ServerError])
def test_nothing_else_is_asked_again(error):
    failing = Failing(error, 1)
    with pytest.raises(error):
        call(failing)
    assert len(failing.left) == 1


def test_gives_up_where_it_is_told_that_it_is_no_use():
    failing = Failing(ServerUnavailable, 100)
    with pytest.raises(ServerUnavailable):
        call(failing, stop=True)
    assert len(failing.left) == 1


def test_never_waits_beyond_the_timeout():
    """There would be no time for an answer."""
    failing = Failing(ServerUnavailable, 100)
    start = time.monotonic()
    with pytest.raises(ServerUnavailable):
        call_with_retries(failing, 0.5, 1000, lambda seconds: time.sleep(seconds) or False)
    # At most 0.3 s of pauses fit before one that does not.
    assert 2 <= len(failing.left) <= 5
    assert time.monotonic() - start < 30


def test_no_time_left():
    attempts = Attempts(0.0, 5)
    with pytest.raises(DeadlineExceeded, match="no answer within the timeout of 0 s"):
        attempts.left()


def test_what_is_refused_is_asked_again_within_the_budget_only():
    budget = RetryBudget(share=0.5)
    asked = 0
    for _ in range(100):
        failing = Failing(ServerOverloaded, 1000)
        with pytest.raises(ServerOverloaded):
            call(failing, retries=50, timeout=1000, budget=budget)
        asked += len(failing.left)
    assert 100 + 50 <= asked <= 100 + 50 + 10


def test_a_server_that_is_gone_costs_no_budget():
    budget = RetryBudget(share=0)
    for _ in range(30):
        assert call(Failing(ServerUnavailable, 3), budget=budget)[0] == "answer"
    assert budget.spend()


def test_pauses_are_random_and_end_at_two_seconds():
    assert len({backoff(3) for _ in range(20)}) > 15
    assert all(1 <= backoff(attempt) <= 2 for attempt in (5, 20, 9000))
