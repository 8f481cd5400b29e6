"""An ASGI application called as a server calls it, without a server."""

import asyncio
import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import pytest

from face_client import AsyncFaceClient
from face_client.messages import Request, Response
from face_gateway import Settings, make_app
from tests.fakes import FakeTransport, Reply


class AsyncFake:
    """A `FakeTransport` for the asyncio client."""

    def __init__(self, reply: Reply) -> None:
        self.fake = FakeTransport(reply)

    async def infer(self, request: Request, timeout: float) -> Response:
        await asyncio.sleep(0)
        response = self.fake.infer(request, timeout)
        stages = np.array([[b'{"pnet": 0.002, "images": 1}']], np.object_)
        return Response({**response.outputs, "timing": stages}) if "timing" in request.outputs else response

    async def is_ready(self, model: str, timeout: float) -> bool:  # noqa: ARG002 the protocol's
        return self.fake.ready

    async def close(self) -> None:
        self.fake.closed = True


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def app_of(reply: Reply, settings: Settings | None = None, gallery: Any = None) -> Any:
    """The gateway over a client whose server is a function."""
    client = AsyncFaceClient(transport=AsyncFake(reply), retries=0)
    return make_app(settings or Settings(), client, gallery)


def call(app: Any, method: str, path: str, **request: Any) -> Answer:
    """`acall` in an event loop of its own."""
    return asyncio.run(acall(app, method, path, **request))


async def acall(
    app: Any,
    method: str,
    path: str,
    *,
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes | list[bytes] = b"",
    fault: type[Exception] | None = None,
    answered: Callable[[], object] = lambda: None,
) -> Answer:
    """body: in pieces, whose length is not announced; or whole. fault: goes on to the server's log. answered: called
    when the last of the answer has gone out."""
    given = {"host": "localhost:8080", **(headers or {})}
    pieces = [body] if isinstance(body, bytes) else list(body)
    given.setdefault(
        *(("content-length", str(len(body))) if isinstance(body, bytes) else ("transfer-encoding", "chunked"))
    )
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
    }
    started: dict[str, Any] = {}
    received = bytearray()
    is_answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not pieces:
            await is_answered.wait()
            return {"type": "http.disconnect"}
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            received.extend(message.get("body", b""))
            if not message.get("more_body", False):
                is_answered.set()
                answered()

    with nullcontext() if fault is None else pytest.raises(fault):
        await app(scope, receive, send)
    told = {name.decode(): value.decode("latin-1") for name, value in started["headers"]}
    return Answer(started["status"], told, bytes(received))


def form(
    files: list[tuple[str, bytes]], fields: dict[str, str], end: bytes = b"--X--\r\n"
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a form."""
    parts = [
        f'--X\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in files
    ]
    parts += [
        f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    return {"content-type": "multipart/form-data; boundary=X"}, b"".join(parts) + end
