"""The async map: order, bound, errors, and what happens to tasks that nobody wants any more."""

import asyncio
import random

import pytest

from face_client._tasks import map_in_order


class Work:
    """An async function that counts how many of its calls are open."""

    def __init__(self, delay=lambda _item: 0.001):
        self.delay = delay
        self.open = self.most = 0
        self.started, self.cancelled = [], []

    async def __call__(self, item):
        self.started.append(item)
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(self.delay(item))
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        finally:
            self.open -= 1
        if isinstance(item, Exception):
            raise item
        return item * 10


async def collect(results):
    return [result async for result in results]


async def as_async(items):
    for item in items:
        await asyncio.sleep(0)
        yield item


@pytest.mark.parametrize("source", [list, iter, as_async])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_results_come_in_order_and_no_more_than_the_bound_are_open(source, count):
    randomness = random.Random(count)
    work = Work(lambda _item: randomness.random() * 0.005)
    assert asyncio.run(collect(map_in_order(work, source(range(count)), 4))) == [item * 10 for item in range(count)]
    assert work.most == min(count, 4)


def test_an_error_comes_in_its_turn_and_the_rest_is_cancelled():
    work = Work(lambda item: 0 if isinstance(item, Exception) else 0.02 if item == 0 else 60)
    results = []

    async def run():
        async for result in map_in_order(work, [0, ValueError("second"), 2, 3], 4):
            results.append(result)

    with pytest.raises(ValueError, match="second"):
        asyncio.run(run())
    assert results == [0]
    assert sorted(work.cancelled) == [2, 3]


def test_an_error_of_the_source_ends_the_map():
    def items():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        asyncio.run(collect(map_in_order(Work(), items(), 2)))


def test_a_cancelled_task_cancels_what_is_open():
    work = Work(lambda _item: 60)

    async def run():
        task = asyncio.create_task(collect(map_in_order(work, range(100), 3)))
        while work.open < 3:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert work.started == sorted(work.cancelled) == [0, 1, 2]


def test_a_caller_that_stops_early_cancels_what_is_open():
    work = Work(lambda item: 0 if item == 0 else 60)

    async def run():
        results = map_in_order(work, range(100), 3)
        assert await results.__anext__() == 0
        await results.aclose()

    asyncio.run(run())
    assert len(work.started) <= 4
    assert sorted(work.cancelled) == work.started[1:]


def test_an_answer_does_not_wait_for_the_next_item():
    async def run():
        go_on = asyncio.Event()

        async def items():
            yield 1
            await go_on.wait()
            yield 2

        results = map_in_order(Work(), items(), 8)
        assert await asyncio.wait_for(results.__anext__(), 10) == 10
        go_on.set()
        assert await collect(results) == [20]

    asyncio.run(run())
