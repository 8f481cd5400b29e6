"""Many callers at once, in a process of their own that costs little: their bytes are made once, and sent many times.

Each caller has a connection of its own, and asks again when it has its answer.
"""

import asyncio
import json
import multiprocessing
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Protocol

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from face_bench import BenchError
from face_bench.wire import METHOD, UNLIMITED

_ANSWER_S = 120.0
_RECEIVED_AT_ONCE = 64 * 1024


@dataclass(frozen=True)
class Call:
    """url: host:port. message: an HTTP request whole, or a serialised message for gRPC. faces: in its answer."""

    url: str
    message: bytes
    is_grpc: bool
    faces: int


@dataclass(frozen=True)
class Turn:
    """took: seconds that each answer took. cpu_s: processor time of the callers."""

    seconds: float
    took: list[float]
    cpu_s: float


class Callers:
    """A process that makes one call, by any number of callers at a time. Ends with the block."""

    def __init__(self, call: Call) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(call, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, callers: int, images: int) -> Turn:
        """Until so many are answered. Raises BenchError."""
        self._ours.send((callers, images))
        try:
            turn = self._ours.recv()
        except EOFError:
            raise BenchError("the process with the callers has ended") from None
        if isinstance(turn, str):
            raise BenchError(turn)
        assert isinstance(turn, Turn)
        return turn

    def __enter__(self) -> "Callers":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ours.close()
        self._process.join(_ANSWER_S)


def _serve(call: Call, pipe: Connection) -> None:
    while True:
        try:
            callers, images = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(asyncio.run(_asked(call, callers, images)))
        except (OSError, BenchError, grpc.RpcError) as error:
            pipe.send(f"a caller failed: {error}")


class _Line(Protocol):
    """A connection: one caller's."""

    async def ask(self) -> int:
        """The faces in the answer."""

    async def close(self) -> None: ...


async def _asked(call: Call, callers: int, images: int) -> Turn:
    """Raises BenchError for a wrong answer."""
    lines = [await _opened(call) for _ in range(callers)]
    took: list[float] = []
    left = images

    async def work(line: _Line) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            start = time.perf_counter()
            faces = await line.ask()
            took.append(time.perf_counter() - start)
            if faces != call.faces:
                raise BenchError(f"an answer has {faces} faces, and should have {call.faces}")

    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(work, lines))
    turn = Turn(time.perf_counter() - start, took, time.process_time() - cpu)
    for line in lines:
        await line.close()
    return turn


async def _opened(call: Call) -> _Line:
    if call.is_grpc:
        return _GrpcLine(call)
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setblocking(False)
    host, _, port = call.url.rpartition(":")
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    return _HttpLine(connection, call.message)


class _GrpcLine:
    def __init__(self, call: Call) -> None:
        # Channels to the same address share one connection unless told not to.
        self._channel = grpc.aio.insecure_channel(call.url, [("grpc.use_local_subchannel_pool", 1), *UNLIMITED])
        # No serializer: the message is bytes already.
        self._infer: Callable[..., Awaitable[service_pb2.ModelInferResponse]] = self._channel.unary_unary(
            METHOD, response_deserializer=service_pb2.ModelInferResponse.FromString
        )
        self._message = call.message

    async def ask(self) -> int:
        response = await self._infer(self._message, timeout=_ANSWER_S)
        names = [output.name for output in response.outputs]
        return int(np.frombuffer(response.raw_output_contents[names.index("num_faces")], np.int32)[0])

    async def close(self) -> None:
        await self._channel.close()


class _HttpLine:
    def __init__(self, connection: socket.socket, message: bytes) -> None:
        self._connection = connection
        self._message = message

    async def ask(self) -> int:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._connection, self._message)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0 or len(received) < end + 4 + _length(received[:end]):
            more = await asyncio.wait_for(loop.sock_recv(self._connection, _RECEIVED_AT_ONCE), _ANSWER_S)
            if not more:
                raise BenchError(f"the gateway hung up after {received[:200]!r}")
            received += more
        if not received.startswith(b"HTTP/1.1 200 "):
            raise BenchError(f"the gateway says {received[:500]!r}")
        return len(json.loads(received[end + 4 :])["images"][0]["faces"])

    async def close(self) -> None:
        self._connection.close()


def _length(header: bytes) -> int:
    """Raises BenchError for an answer that does not say its length."""
    _, found, value = header.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise BenchError(f"no Content-Length in {header!r}")
    return int(value.partition(b"\r\n")[0])
