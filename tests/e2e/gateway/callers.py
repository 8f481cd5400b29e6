"""Callers on sockets of their own, good and bad, in asyncio: as many as a test wants at a time."""

import asyncio
import re
import time
from contextlib import suppress

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Answer:
    """Of a connection: the statuses of what came, and the last body."""

    def __init__(self, received):
        self.statuses = [int(status) for status in _STATUS.findall(received)]
        self.body = received.rpartition(b"\r\n\r\n")[2]


async def ask(paged, data, pieces=1, answers=1):
    """Send it, and read until there are so many answers or the other side ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", paged.port, limit=2**20)
    received = bytearray()
    try:
        size = -(-len(data) // pieces)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await writer.drain()
        while len(_STATUS.findall(received)) < answers or not is_whole(received):
            more = await reader.read(2**20)
            if not more:
                break
            received += more
    except ConnectionError:
        # It was told, or not, and sent away in the middle.
        pass
    finally:
        writer.transport.abort()
    return Answer(bytes(received))


def is_whole(received):
    """Whether the last answer is there to its end."""
    *_, last = _STATUS.finditer(received)
    head, _, body = received[last.start() :].partition(b"\r\n\r\n")
    length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(length) and len(body) >= int(length[0].split(b":")[1])


class Good:
    """Callers who ask in turn until they are stopped."""

    def __init__(self, paged, data, callers=2):
        self._paged, self._data, self._callers = paged, data, callers
        self.answers = []

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self._callers)]
        return self

    async def __aexit__(self, *_):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self):
        while True:
            self.answers.append(await ask(self._paged, self._data))
            await asyncio.sleep(0.05)


async def drip(paged, head, seconds):
    """Sends the head, and then a byte a second for so long: the statuses of what comes; None: nobody ended it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", paged.port)
    writer.write(head)
    received = bytearray()

    async def read():
        # Piece by piece: an end by a reset, since bytes are under way, forgets what nobody has read.
        with suppress(ConnectionError):
            while more := await reader.read(2**16):
                received.extend(more)

    reading = asyncio.create_task(read())
    give_up = time.monotonic() + seconds
    while not reading.done() and time.monotonic() < give_up:
        writer.write(b"a")
        await asyncio.wait([reading], timeout=1)
    is_ended = reading.done()
    reading.cancel()
    writer.transport.abort()
    return Answer(bytes(received)).statuses if is_ended else None


async def hang_up(paged, data, seconds):
    """Sends some or all of it, and is gone."""
    _, writer = await begin(paged, data)
    await asyncio.sleep(seconds)
    writer.transport.abort()


async def begin(paged, data):
    """Sends it; (reader, writer), without which the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", paged.port)
    writer.write(data)
    return reader, writer
