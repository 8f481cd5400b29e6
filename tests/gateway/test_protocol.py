"""What ends a connection, on real sockets: a protocol of little patience, before an application that answers all."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn
from uvicorn.server import ServerState

from face_gateway.protocol import protocol_with
from face_gateway.record import Record
from face_gateway.settings import Limits

LIMITS = Limits(header_seconds=0.5, header_bytes=2000, answer_seconds=0.5, connections=3)

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
END = b"\r\n"
PIECES = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n"

# More than the sockets of both sides hold.
LARGE = 2**26


class Served:
    """headers: of all requests that were read to their end. answered: how many answers have left."""

    def __init__(self, size):
        self._size = size
        self.headers, self.answered, self.record = [], 0, Record()

    async def app(self, scope, receive, send):
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        self.headers += scope["headers"]
        length = (b"content-length", b"%d" % self._size)
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": bytes(self._size), "more_body": True})
        await send({"type": "http.response.body"})
        self.answered += 1

    async def connect(self, data=b""):
        reader, writer = await asyncio.open_connection(*self.address, limit=2**20)
        writer.write(data)
        return reader, writer


@asynccontextmanager
async def serving(size=4, limits=LIMITS):
    """A server whose answers have so many bytes."""
    served = Served(size)
    config = uvicorn.Config(served.app, interface="asgi3", ws="none", lifespan="off", log_level="critical")
    state, protocol = ServerState(), protocol_with(limits, served.record)
    server = await asyncio.get_running_loop().create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    served.address = server.sockets[0].getsockname()
    async with server, asyncio.timeout(60):
        yield served


async def answer(reader):
    """Status and body of the next one."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    return int(head.split()[1]), await reader.readexactly(length)


async def ended(reader):
    """What comes until the other side ends the connection."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


def test_a_header_has_so_long_and_a_connection_without_one_too():
    async def run():
        async with serving() as served:
            silent, _ = await served.connect()
            slow, writer = await served.connect()
            for letter in GET:
                writer.write(bytes([letter]))
                await asyncio.sleep(0.03)
            assert await ended(silent) == await ended(slow) == b""

    asyncio.run(run())


@pytest.mark.slow
def test_a_later_header_has_its_time_from_its_first_byte():
    async def run():
        async with serving() as served:
            reader, writer = await served.connect(GET + END)
            assert await answer(reader) == (200, bytes(4))
            await asyncio.sleep(2 * LIMITS.header_seconds)
            writer.write(GET)
            await asyncio.sleep(LIMITS.header_seconds / 2)
            writer.write(END)
            assert await answer(reader) == (200, bytes(4))

    asyncio.run(run())


@pytest.mark.parametrize(
    "data", [GET + b"A: b\r\n" * 400, GET + b"A: " + b"a" * 2500, PIECES + b"0\r\n" + b"A: b\r\n" * 100_000]
)
def test_a_header_has_so_many_bytes_and_what_follows_a_body_too(data):
    async def run():
        async with serving() as served:
            reader, _ = await served.connect(data)
            status, body = await answer(reader)
            assert (status, json.loads(body)["type"]) == (431, "/problems#HeaderTooLarge")
            assert await ended(reader) == b""

    asyncio.run(run())


def test_what_follows_a_body_is_no_header():
    async def run():
        async with serving() as served:
            reader, _ = await served.connect(PIECES + b"0\r\nX-API-Key: mine\r\n\r\n")
            assert await answer(reader) == (200, bytes(4))
            assert served.headers == [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]

    asyncio.run(run())


def test_a_body_is_not_counted_as_a_header():
    async def run():
        async with serving() as served:
            reader, writer = await served.connect(PIECES)
            for _ in range(100):
                writer.write(b"64\r\n" + bytes(100) + b"\r\n")
                await asyncio.sleep(0.001)
            writer.write(b"0\r\n\r\n")
            assert await answer(reader) == (200, bytes(4))

    asyncio.run(run())


def test_what_is_no_request_is_told_so():
    async def run():
        async with serving() as served:
            reader, _ = await served.connect(b"\x16\x03\x01 garbage\r\n\r\n")
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            status, body = int(head.split()[1]), await ended(reader)
            assert f"x-request-id: {json.loads(body)['request_id']}\r\n" in head
            assert "x-content-type-options: nosniff\r\n" in head
            assert b'requests_total{method="none",route="none",status="400"} 1.0' in served.record.metrics()
            assert (status, json.loads(body)["type"]) == (400, "/problems#InvalidBody")
            assert await ended(reader) == b""

    asyncio.run(run())


def test_an_answer_has_so_long_to_be_taken():
    async def run():
        async with serving(LARGE) as served:
            reader, _ = await served.connect(GET + END)
            await asyncio.sleep(LIMITS.answer_seconds / 2)
            assert served.answered == 0, "it holds its place until it has left"
            await asyncio.sleep(2 * LIMITS.answer_seconds)
            assert len(await ended(reader)) < LARGE
        async with serving(LARGE, replace(LIMITS, answer_seconds=60)) as served:
            reader, _ = await served.connect(GET + END)
            status, body = await answer(reader)
            assert (status, len(body)) == (200, LARGE)
            assert served.answered == 1

    asyncio.run(run())


def test_connections_are_counted():
    async def run():
        async with serving() as served:
            connections = [await served.connect() for _ in range(3)]
            reader, _ = await served.connect(GET + END)
            status, body = await answer(reader)
            assert (status, json.loads(body)["type"]) == (429, "/problems#TooManyRequests")
            for reader, writer in connections:
                writer.write(GET + END)
                assert await answer(reader) == (200, bytes(4))
            connections[0][1].transport.abort()
            await asyncio.sleep(0.1)
            reader, _ = await served.connect(GET + END)
            assert await answer(reader) == (200, bytes(4))

    asyncio.run(run())
