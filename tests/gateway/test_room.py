"""Room for decoded pictures."""

import asyncio
import io
import random
import threading

import pytest
from PIL import Image

from face_gateway import Limits, Settings, cutting
from face_gateway.room import Room, finished_in_thread
from tests.fakes import answer
from tests.gateway.asgi import acall, app_of


def test_never_more_than_there_is_and_everybody_has_a_turn():
    random.seed(0)
    sizes = [random.choice((1, 2, 3, 10, 99)) for _ in range(60)]
    inside, most, order = [], [], []

    async def one(room, number, pixels):
        async with room.hold(pixels):
            order.append(number)
            inside.append(min(pixels, 10))
            most.append(sum(inside))
            await asyncio.sleep(0.001)
            inside.remove(min(pixels, 10))

    async def everybody():
        room = Room(10)
        await asyncio.gather(*(one(room, number, pixels) for number, pixels in enumerate(sizes)))

    asyncio.run(everybody())
    assert max(most) <= 10
    assert order == list(range(60)), "no small one before a large one that waits"


def test_who_gives_up_leaves_the_room_as_it_was():
    async def trying():
        room = Room(10)
        async with room.hold(10):
            waiting = asyncio.create_task(room.hold(1).__aenter__())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        async with asyncio.timeout(5), room.hold(10):
            pass

    asyncio.run(trying())


def test_who_is_cancelled_holds_what_they_hold_until_the_work_is_over():
    started, over, ended = threading.Event(), threading.Event(), []

    def work():
        started.set()
        over.wait(20)
        ended.append(True)

    async def cancelling():
        room = Room(10)

        async def holding():
            async with room.hold(10):
                await finished_in_thread(work)

        task = asyncio.create_task(holding())
        await asyncio.to_thread(started.wait, 20)
        task.cancel()
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(room.hold(1).__aenter__())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        over.set()
        await waiting
        assert ended
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelling())


def test_large_pictures_are_decoded_and_covered_one_after_the_other(monkeypatch):
    """Of 3,000 pixels each, in a room of 5,000. What is transparent is decoded for the server too."""
    file = io.BytesIO()
    Image.new("RGBA", (60, 50), (9, 9, 9, 99)).save(file, "PNG")
    inside, most = [], []

    def counted(work):
        def working(*arguments):
            inside.append(1)
            most.append(len(inside))
            try:
                return work(*arguments)
            finally:
                inside.pop()

        return working

    for name in ("to_look_at", "_covered"):
        monkeypatch.setattr(cutting, name, counted(getattr(cutting, name)))
    app = app_of(lambda _: answer(1), Settings(limits=Limits(pixels=5000)))

    async def several():
        asked = (
            acall(app, "POST", "/v1/blur", headers={"content-type": "image/png"}, body=file.getvalue())
            for _ in range(8)
        )
        return await asyncio.gather(*asked)

    assert [each.status for each in asyncio.run(several())] == [200] * 8
    assert most == [1] * 16
