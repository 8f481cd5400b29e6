"""The door: what every request passes before a path sees it, and every answer on its way out.

An ASGI middleware, the outermost: it gives the request its id, judges host, origin, key, rate and size by the header
alone, and holds the place of a body in memory. Whatever is raised behind it becomes a problem document here.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from face_client.errors import FaceError
from face_gateway import problems
from face_gateway.bodies import check_length
from face_gateway.errors import InvalidBody, NotAllowed
from face_gateway.keys import Key, Keys
from face_gateway.places import Places
from face_gateway.record import Done, Record
from face_gateway.settings import LOOPBACK, Limits, Settings, is_loopback
from face_gateway.tracing import trace_of

_ID = re.compile(r"[\w.:/+=@-]{1,64}", re.ASCII)

_LOOPBACK_NAMES = ("localhost", LOOPBACK, "[::1]")

_BEHIND = "/v1/"
# The page asks it before there is a key.
_OPEN = "/v1/service"

# Asked by machines that go by addresses; nothing of theirs is worth a page's trick.
_OF_OPERATORS = ("/health", "/health/live", "/health/ready", "/metrics")

# What is left of a refused body is read and thrown away, so that its sender hears the refusal; but not for ever.
_DRAINED_BYTES = 64 * 2**20
_DRAIN_SECONDS = 5.0

_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Door:
    """Around an application."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: Keys | None, record: Record) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._record = record
        self.places = Places(settings.limits)
        self._hosts = {*_LOOPBACK_NAMES, *(name.lower() for name in settings.allowed_hosts)}
        # Who listens elsewhere may be called anything, unless somebody says what.
        self._any_host = not is_loopback(settings.host) and not settings.allowed_hosts
        record.watch(lambda: self.places.taken, lambda: self.places.held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send)
        with trace_of(visit.headers, scope):
            try:
                await self._let_in(visit)
            except FaceError as error:
                await visit.refuse(error)
            finally:
                self._record.done(visit.done())

    async def _let_in(self, visit: _Visit) -> None:
        path: str = visit.scope["path"]
        if path not in _OF_OPERATORS:
            self._check_host(visit.headers)
        self._check_origin(visit.headers)
        if path.startswith(_BEHIND) and path != _OPEN and visit.scope["method"] != "OPTIONS":
            key = self._keys.admit(_presented(visit.headers)) if self._keys is not None else None
            visit.state["key"] = key
            if key is not None:
                key.check(_permission(path))
        if not visit.has_body:
            await self._app(visit.scope, visit.receive, visit.send)
            return
        size = visit.announced(self._settings.limits)
        with ExitStack() as place:
            visit.state["place"] = place.enter_context(self.places.hold(size))
            # Whoever has the answer may ask again before this task has come to its end.
            visit.when_answered = place.close
            await visit.while_there(self._app(visit.scope, visit.receive, visit.send))

    def _check_host(self, headers: Headers) -> None:
        """Raises NotAllowed. A page whose name was made to point here (DNS rebinding) calls the service by it."""
        if not self._any_host and _name_of(headers.get("host", "")) not in self._hosts:
            raise NotAllowed("this service is not called by that name: see --allow-host")

    def _check_origin(self, headers: Headers) -> None:
        """Raises NotAllowed. A browser says which page asks; what no browser sends has no Origin."""
        origin = headers.get("origin")
        if origin is None or origin in self._settings.allowed_origins:
            return
        if _host_of(origin) != headers.get("host", "").lower():
            raise NotAllowed("pages of other sites may not ask here: see --allow-origin")


class _Visit:
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
        """How many bytes the body may have. Raises BodyTooLarge."""
        length = self.headers.get("content-length")
        if length is None:
            return limits.body_bytes
        if not (length.isascii() and length.isdigit()):
            raise InvalidBody("Content-Length is no number")
        check_length(int(length), limits)
        return int(length)

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
            for name, value in _SECURITY.items():
                headers.setdefault(name, value)
            if self.scope["path"].startswith(_BEHIND):
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

    async def refuse(self, error: FaceError) -> None:
        if self._status:
            # Too late: the answer has begun, and cannot be taken back.
            raise error
        await problems.response(error, self.state["request_id"])(self.scope, self.receive, self.send)

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


def _presented(headers: Headers) -> str | None:
    kind, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else headers.get("x-api-key")


def _permission(path: str) -> str:
    if path.startswith("/v1/gallery/"):
        return "enrol"
    return "identify" if path == "/v1/identify" else "faces"


def _host_of(origin: str) -> str | None:
    """Name and port; None: it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _name_of(host: str) -> str:
    """Without its port."""
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdigit() else host.lower()


def _server_timing(timing: dict[str, float]) -> str:
    """In milliseconds (W3C's Server Timing); `images` is a number of pictures, not a time."""
    return ", ".join(
        f'images;desc="{value:.0f}"' if name == "images" else f"{name};dur={value * 1000:.2f}"
        for name, value in timing.items()
    )
