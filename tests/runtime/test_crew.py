"""A crew maps as `map` does, in its caller's thread and others."""

import os
import threading
from functools import partial

import pytest

from face_runtime.crew import Crew


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


def places(crew, workers):
    """Where each worker may run, the caller first."""
    together, places = threading.Barrier(workers), {}

    def look(_):
        together.wait(10)
        places[threading.get_native_id()] = os.sched_getaffinity(0)

    # The first time makes the threads.
    for _ in range(2):
        crew.map(look, range(workers))
    return [places.pop(threading.get_native_id()), *places.values()]


def test_each_has_a_processor_of_its_own_where_there_are_as_many():
    everywhere = os.sched_getaffinity(0)
    of_caller, *of_others = places(Crew(len(everywhere), "test"), len(everywhere))
    assert of_caller == everywhere
    if of_others:
        assert {len(place) for place in of_others} == {1}
        assert len(set.union(*of_others)) == len(of_others)


def test_they_may_run_anywhere_where_there_are_more_or_less():
    everywhere = os.sched_getaffinity(0)
    more = len(everywhere) + 1
    assert places(Crew(more, "test"), more) == [everywhere] * more


def test_nobody_is_where_the_caller_is():
    everywhere = os.sched_getaffinity(0)
    if len(everywhere) == 1:
        return
    crew = Crew(len(everywhere), "test")
    for processor in (*everywhere, *everywhere):
        crew._places._processor_of_this_thread = partial(int, processor)
        _, *of_others = places(crew, len(everywhere))
        assert set.union(*of_others) == everywhere - {processor}


def test_it_works_on_where_nobody_may_be_moved(monkeypatch):
    def refuse(*_):
        raise PermissionError

    workers = len(os.sched_getaffinity(0))
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    crew = Crew(workers, "test")
    for _ in range(3):
        assert crew.map(str, range(50)) == [str(n) for n in range(50)]
