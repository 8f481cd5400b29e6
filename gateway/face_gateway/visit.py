"""A request from its header to the end of its answer: its id, its body, its caller, who may leave."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from face_client.errors import FaceError
from face_gateway import problems
from face_gateway.bodies import check_length
from face_gateway.errors import InvalidBody
from face_gateway.keys import Key
from face_gateway.record import Done
from face_gateway.settings import Limits

_ID = re.compile(r"[\w.:/+=@-]{1,64}", re.ASCII)

# What is left of a refused body is read and thrown away, so that its sender hears the refusal; but not for ever.
_DRAINED_BYTES = 64 * 2**20
_DRAIN_SECONDS = 5.0

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

API = "/v1/"
"""What paths of the API begin with."""


class Visit:
    """One request, and what has become of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.headers = Headers(scope=scope)
        self.state: MutableMapping[str, Any] = scope.setdefault("state", {})
        given = self.headers.get("x-request-id", "")
        self.state.update(
            request_id=given if _ID.fullmatch(given) else uuid.uuid4().hex, timing={}, pictures=0, key=None
        )
        self._receive, self._send = receive, send
        self._start = time.perf_counter()
        self._status = 0
        self._read = 0
        self._ended = asyncio.Event()
        self._lingers = self._is_answered = False
        self.when_answered: Callable[[], None] = lambda: None
        if not self.has_body:
            self._ended.set()

    @property
    def has_body(self) -> bool:
        return "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"

    def announced(self, limits: Limits) -> int:
        """How many bytes the body may have. Raises BodyTooLarge, InvalidBody."""
        length = self.headers.get("content-length")
        if length is None:
            return limits.body_bytes
        if not (length.isascii() and length.isdigit()):
            raise InvalidBody("Content-Length is no number")
        # Python reads no number of thousands of digits, and nobody sends 10^20 bytes.
        size = int(length.lstrip("0")[:20] or "0")
        check_length(size, limits)
        return size

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._ended.set()
        return message

    async def while_there(self, work: Awaitable[None]) -> None:
        """The work, which is cancelled when the caller hangs up: its place, and what it asked of the server, are free
        for others then."""
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self._left())
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            if working.done() or self._is_answered:
                await working
        finally:
            for task in (working, leaving):
                task.cancel()
            # It is over when what it held is free.
            await asyncio.wait((working, leaving))

    async def _left(self) -> None:
        """Until the caller hangs up. As long as the body comes, whoever reads it is told."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self.state["request_id"]
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
            if self.scope["path"].startswith(API):
                headers.setdefault("Cache-Control", "no-store")
            if self.state["timing"]:
                headers["Server-Timing"] = _server_timing(self.state["timing"])
            if self._status >= 400:
                # What is there already; of more, the connection ends with the answer.
                await self._drain(seconds=0)
                if not self._ended.is_set():
                    headers["Connection"] = "close"
                    self._lingers = True
        elif not message.get("more_body", False):
            # An empty piece comes last, which waits until what is before it has left: answers that nobody takes hold
            # their places.
            await self._send({**message, "more_body": True})
            if self._lingers:
                await self._drain(_DRAIN_SECONDS)
            message = {"type": "http.response.body"}
        await self._send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._is_answered = True
            self.when_answered()

    async def refuse(self, error: FaceError, send: Send) -> None:
        """Raises it where an answer has begun."""
        if self._status:
            # Too late: the answer has begun, and cannot be taken back.
            raise error
        await problems.response(error, self.state["request_id"])(self.scope, self.receive, send)

    async def _drain(self, seconds: float) -> None:
        """Read what is left of the body, and forget it."""
        if self.headers.get("expect", "").lower() == "100-continue" and not self._read:
            # Its sender waits to be told, and sends nothing.
            return
        limit = self._read + _DRAINED_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._ended.is_set() and self._read < limit:
                    await self.receive()

    def done(self) -> Done:
        route = self.scope.get("route")
        key: Key | None = self.state["key"]
        return Done(
            method=self.scope["method"],
            route=getattr(route, "path", "none"),
            # The caller hung up before there was one.
            status=self._status or 499,
            seconds=time.perf_counter() - self._start,
            pictures=self.state["pictures"],
            bytes=self._read,
            request_id=self.state["request_id"],
            key=None if key is None else key.name,
        )


def _server_timing(timing: dict[str, float]) -> str:
    """In milliseconds (W3C's Server Timing); `images` is a number of pictures, not a time."""
    return ", ".join(
        f'images;desc="{value:.0f}"' if name == "images" else f"{name};dur={value * 1000:.2f}"
        for name, value in timing.items()
    )
