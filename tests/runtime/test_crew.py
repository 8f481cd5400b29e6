"""A crew maps as `map` does, in its caller's thread and others."""

import os
import threading
import time
from functools import partial

import pytest

from face_runtime.crew import _RESTED_S, Crew


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_it_maps_as_map_does(workers, count):
    crew = Crew(workers, "test")
    for _ in range(3):
        assert crew.map(lambda n: n * n, iter(range(count))) == [n * n for n in range(count)]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_all_work_at_once_and_the_caller_is_one_of_them(workers):
    together, seen = threading.Barrier(workers), set()

    def meet(_):
        seen.add(threading.get_ident())
        together.wait(10)

    Crew(workers, "test").map(meet, range(workers))
    assert threading.get_ident() in seen
    assert len(seen) == workers


def test_one_thing_alone_stays_in_its_thread():
    assert Crew(4, "test").map(lambda _: threading.get_ident(), [1]) == [threading.get_ident()]


@pytest.mark.parametrize("bad", [0, 3])
def test_what_is_raised_ends_it_and_nothing_is_begun_after(bad):
    crew, begun = Crew(2, "test"), []

    def fail(n):
        begun.append(n)
        if n == bad:
            raise KeyError(n)

    with pytest.raises(KeyError, match=str(bad)):
        crew.map(fail, range(10_000))
    assert bad in begun
    assert len(begun) < 10_000
    assert crew.map(str, range(3)) == ["0", "1", "2"], "used again"


def test_several_callers_share_a_crew():
    crew, answers = Crew(3, "test"), {}

    def call(start):
        answers[start] = crew.map(lambda n: n + start, range(200))

    callers = [threading.Thread(target=call, args=[start]) for start in (0, 1000, 2000)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert answers == {start: list(range(start, start + 200)) for start in (0, 1000, 2000)}


EVERYWHERE = os.sched_getaffinity(0)


def places(crew, workers):
    """Where each worker may run, the caller first."""
    together, places = threading.Barrier(workers), {}

    def look(_):
        together.wait(10)
        places[threading.get_native_id()] = os.sched_getaffinity(0)

    crew.map(look, range(workers))
    return [places.pop(threading.get_native_id()), *places.values()]


@pytest.mark.skipif(len(EVERYWHERE) == 1, reason="there is one processor")
def test_after_a_rest_each_is_woken_on_a_processor_of_its_own(monkeypatch):
    workers = len(EVERYWHERE)
    crew = Crew(workers, "test")
    # However slow the machine.
    monkeypatch.setattr("face_runtime.crew._WAKING_S", 60)
    # Makes the threads.
    places(crew, workers)
    for processor in EVERYWHERE:
        crew._places._processor_of_this_thread = partial(int, processor)
        time.sleep(_RESTED_S)
        for _ in range(3):
            of_caller, *of_others = places(crew, workers)
            assert of_caller == EVERYWHERE
            assert {len(place) for place in of_others} == {1}
            assert set.union(*of_others) == EVERYWHERE - {processor}
    monkeypatch.setattr("face_runtime.crew._RESTED_S", 60)
    monkeypatch.setattr("face_runtime.crew._WAKING_S", 0)
    assert places(crew, workers) == [EVERYWHERE] * workers, "busy"


def test_they_may_run_anywhere_where_there_are_more_or_less():
    more = len(EVERYWHERE) + 1
    crew = Crew(more, "test")
    for _ in range(3):
        time.sleep(_RESTED_S)
        assert places(crew, more) == [EVERYWHERE] * more


def test_it_works_on_where_nobody_may_be_moved(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    crew = Crew(len(EVERYWHERE), "test")
    for _ in range(3):
        assert crew.map(str, range(50)) == [str(n) for n in range(50)]
        time.sleep(_RESTED_S)
