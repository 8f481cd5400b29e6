"""Which server is asked next, with a clock of its own."""

import time
from collections import Counter
from contextlib import suppress

import pytest

from face_client import (
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelNotLoaded,
    ServerError,
    ServerOverloaded,
    ServerUnavailable,
)
from face_client.endpoints import Endpoints, Gone, addresses, time_left


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def fail(endpoints, index, error=ServerUnavailable):
    with suppress(error), endpoints.asking(index):
        raise error("no")


def succeed(endpoints, index):
    with endpoints.asking(index):
        pass


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a:1", ["a:1"]),
        ("a:1,b:2", ["a:1", "b:2"]),
        (" a:1 , b:2 ", ["a:1", "b:2"]),
        (["a:1", "b:2"], ["a:1", "b:2"]),
        (("a:1,b:2", "c:3"), ["a:1", "b:2", "c:3"]),
        ("[::1]:8001", ["[::1]:8001"]),
        ("dns:///a:1,b:2", ["dns:///a:1", "b:2"]),
        ("dns:///a.b.c.:1", ["dns:///a.b.c.:1"]),
    ],
)
def test_addresses(url, expected):
    assert addresses(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        ",",
        "a:1,",
        "a:1,,b:2",
        [],
        [""],
        "http://a:1",
        "a:1,https://b:2",
        "localhost",
        "a:",
        ":1",
        "a:0",
        "a:b",
        "a:65536",
        "::1",
        "[::1]",
        "dns:///a",
        "dns:///:1",
        "dns:///a:1/",
        "dns://1.2.3.4/a:1",
        "dns:///[::1]:1",
        "dns:///a..b:1",
        f"dns:///{'a' * 64}:1",
        None,
    ],
)
def test_addresses_that_cannot_be(url):
    with pytest.raises(InvalidInput, match="it must be host:port"):
        addresses(url)


def test_fewest_in_flight_first_and_equals_in_turn():
    endpoints = Endpoints(range(3))
    assert Counter(endpoints.choose().server for _ in range(300)) == {0: 100, 1: 100, 2: 100}
    assert {Endpoints(range(3)).choose().server for _ in range(100)} == {0, 1, 2}
    with endpoints.asking(0), endpoints.asking(2):
        assert {endpoints.choose().server for _ in range(50)} == {1}
        with endpoints.asking(1), endpoints.asking(1):
            assert {endpoints.choose().server for _ in range(100)} == {0, 2}


@pytest.mark.parametrize("error", [ServerUnavailable, ServerOverloaded])
def test_one_that_fails_is_put_aside_then_probed_by_one_caller(error, clock):
    endpoints = Endpoints(range(2), clock)
    fail(endpoints, 0, error)
    assert {endpoints.choose() for _ in range(50)} == {(1, False)}
    clock.now += 0.26
    assert endpoints.choose() == (0, True)
    # While one caller probes, the others go on.
    assert {endpoints.choose() for _ in range(50)} == {(1, False)}
    endpoints.probed(0, True)
    assert {endpoints.choose() for _ in range(100)} == {(0, False), (1, False)}


@pytest.mark.parametrize("error", [InvalidInput, ServerError, Cancelled, ModelNotLoaded, DeadlineExceeded])
def test_what_says_nothing_of_the_server_puts_nothing_aside(error, clock):
    endpoints = Endpoints(range(2), clock)
    fail(endpoints, 0, error)
    assert {endpoints.choose() for _ in range(100)} == {(0, False), (1, False)}


def pauses(endpoints, clock, count):
    """How long server 0 is left alone, that many times."""
    for _ in range(count):
        start = clock.now
        while not endpoints.choose().probe:
            clock.now += 0.05
        yield clock.now - start
        endpoints.probed(0, False)


def test_pauses_double_up_to_five_seconds_until_a_request_is_answered(clock):
    endpoints = Endpoints(range(2), clock)
    fail(endpoints, 0)
    expected = [0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert list(pauses(endpoints, clock, 8)) == pytest.approx(expected, abs=0.06)
    clock.now += 6
    assert endpoints.choose() == (0, True)
    endpoints.probed(0, True)
    # To be there is not yet to work.
    fail(endpoints, 0)
    assert list(pauses(endpoints, clock, 1)) == pytest.approx([5], abs=0.06)
    clock.now += 6
    assert endpoints.choose() == (0, True)
    endpoints.probed(0, True)
    succeed(endpoints, 0)
    fail(endpoints, 0)
    assert list(pauses(endpoints, clock, 1)) == pytest.approx([0.25], abs=0.06)


def test_many_requests_that_fail_together_are_one_failure(clock):
    endpoints = Endpoints(range(2), clock)
    for _ in range(20):
        fail(endpoints, 0)
    assert list(pauses(endpoints, clock, 1)) == pytest.approx([0.25], abs=0.06)


def test_a_late_answer_brings_one_back(clock):
    endpoints = Endpoints(range(2), clock)
    with endpoints.asking(0):
        fail(endpoints, 0, ServerOverloaded)
        assert {endpoints.choose() for _ in range(20)} == {(1, False)}
    assert {endpoints.choose().server for _ in range(100)} == {0, 1}


def test_where_all_are_aside_the_one_that_comes_back_first_is_asked(clock):
    endpoints = Endpoints(range(2), clock)
    fail(endpoints, 1)
    clock.now += 0.1
    fail(endpoints, 0)
    assert endpoints.choose() == (1, False)


def test_nothing_stays_in_flight_whatever_happens():
    endpoints = Endpoints(range(2))
    for error in (ServerUnavailable, InvalidInput, KeyboardInterrupt):
        with suppress(error), endpoints.asking(0):
            raise error
    succeed(endpoints, 0)
    # Both have nothing in flight, so both are chosen.
    assert {endpoints.choose().server for _ in range(100)} == {0, 1}


def test_time_left():
    assert 9 < time_left(time.monotonic() + 10) <= 10
    with pytest.raises(DeadlineExceeded):
        time_left(time.monotonic())


def let_pass(endpoints, index):
    """An attempt whose time passes."""
    with suppress(DeadlineExceeded), endpoints.asking(index) as attempt:
        raise DeadlineExceeded("no")
    return attempt


def test_one_that_lets_the_time_pass_in_which_another_answers_is_put_aside(clock):
    endpoints = Endpoints(range(2), clock)
    clock.now += 1
    late = let_pass(endpoints, 0)
    clock.now += 1
    succeed(endpoints, 1)
    endpoints.outrun([late])
    assert {endpoints.choose() for _ in range(50)} == {(1, False)}


def test_one_that_has_answered_others_meanwhile_is_not_at_fault(clock):
    endpoints = Endpoints(range(2), clock)
    clock.now += 1
    late = let_pass(endpoints, 0)
    clock.now += 1
    succeed(endpoints, 0)
    succeed(endpoints, 1)
    endpoints.outrun([late])
    assert {endpoints.choose().server for _ in range(50)} == {0, 1}


def test_a_request_goes_to_one_that_it_has_not_tried(clock):
    endpoints = Endpoints(range(3), clock)
    assert {endpoints.choose({0, 2}) for _ in range(50)} == {(1, False)}
    fail(endpoints, 1)
    # Better one that may come back than one that has failed this very request.
    assert endpoints.choose({0, 2}) == (1, False)
    assert {endpoints.choose({0, 1, 2}).server for _ in range(50)} == {0, 2}


def test_half_of_the_time_where_another_one_serves(clock):
    endpoints = Endpoints(range(3), clock)
    assert endpoints.share(8, {0}) == endpoints.share(8, {0, 1}) == 4
    assert endpoints.share(8, {0, 1, 2}) == 8
    fail(endpoints, 2)
    assert endpoints.share(8, {0, 1}) == 8


def test_a_probe_that_came_to_nothing_is_made_again_soon_and_is_no_failure(clock):
    endpoints = Endpoints(range(2), clock)
    fail(endpoints, 0)
    for _ in range(5):
        clock.now += 0.26
        assert endpoints.choose() == (0, True)
        endpoints.probed(0, None)
        assert endpoints.choose() == (1, False)


def test_those_that_are_listed_are_chosen_and_what_is_known_of_them_stays(clock):
    endpoints = Endpoints(range(3), clock)
    fail(endpoints, 0)
    assert endpoints.update([0, 1, 3]) == [2]
    assert {endpoints.choose() for _ in range(100)} == {(1, False), (3, False)}
    assert set(endpoints.untried({1})) == {0, 3}


def test_one_that_left_is_forgotten_when_it_has_answered():
    endpoints = Endpoints(range(2))
    with endpoints.asking(0):
        assert endpoints.update([1]) == []
        assert {endpoints.choose().server for _ in range(50)} == {1}
    assert endpoints.update([1]) == [0]
    with pytest.raises(Gone), endpoints.asking(0):
        pass


def test_one_that_left_and_comes_back_is_the_same():
    endpoints = Endpoints(range(2))
    with endpoints.asking(0):
        endpoints.update([1])
        endpoints.update([0, 1])
        assert {endpoints.choose().server for _ in range(50)} == {1}
    assert {endpoints.choose().server for _ in range(50)} == {0, 1}


def test_one_that_left_is_not_forgotten_while_it_is_probed(clock):
    endpoints = Endpoints(range(2), clock)
    fail(endpoints, 0)
    clock.now += 0.26
    assert endpoints.choose() == (0, True)
    assert endpoints.update([1]) == []
    endpoints.probed(0, False)
    assert endpoints.update([1]) == [0]
