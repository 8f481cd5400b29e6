"""The door: what every request passes before a path sees it, and every answer on its way out.

An ASGI middleware, the outermost: it gives the request its id, judges host, origin, key, rate and size by the header
alone, and holds the place of a body in memory. Whatever is raised behind it becomes a problem document here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from face_client.errors import FaceError
from face_gateway.errors import NotAllowed
from face_gateway.keys import Keys
from face_gateway.places import Places
from face_gateway.record import OF_OPERATORS, Record
from face_gateway.settings import LOOPBACK, Settings, is_loopback
from face_gateway.tracing import describe, trace_of
from face_gateway.visit import API, Visit

_LOOPBACK_NAMES = ("localhost", LOOPBACK, "[::1]")

# The page asks it before there is a key.
_OPEN = f"{API}service"


class Door:
    """Around an application."""

    def __init__(self, app: ASGIApp, settings: Settings, keys: Keys | None, record: Record) -> None:
        self._app = app
        self._settings = settings
        self._keys = keys
        self._record = record
        self.places = Places(settings.limits)
        self._hosts = {*_LOOPBACK_NAMES, *(name.lower() for name in settings.allowed_hosts)}
        if is_loopback(settings.host):
            self._hosts.add(settings.host.lower())
        # Who listens elsewhere may be called anything, unless somebody says what.
        self._any_host = not is_loopback(settings.host) and not settings.allowed_hosts
        self._known_origin = (
            _readable(self._judge, settings.allowed_origins) if settings.allowed_origins else self._judge
        )
        self._add_metrics(record)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, receive, send)
        visit.state["visit"] = visit
        with trace_of(visit.headers, scope["method"]) as span:
            try:
                self._check_origin(visit.headers)
                await self._known_origin(scope, visit.receive, visit.send)
            except NotAllowed as error:
                await visit.refuse(error, visit.send)
            finally:
                done = visit.done()
                self._record.done(done)
                describe(span, done)

    async def _judge(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit: Visit = scope["state"].pop("visit")
        try:
            if scope["path"] not in OF_OPERATORS:
                self._check_host(visit.headers)
            if self._keys is not None:
                self._check_key(self._keys, visit)
            await self._let_in(visit, receive, send)
        except FaceError as error:
            await visit.refuse(error, send)

    async def _let_in(self, visit: Visit, receive: Receive, send: Send) -> None:
        """Raises InvalidInput for a body that is too long, TooManyRequests."""
        if not visit.has_body:
            await self._app(visit.scope, receive, send)
            return
        size = visit.announced(self._settings.limits)
        with ExitStack() as place:
            visit.state["place"] = place.enter_context(self.places.hold(size))
            # Whoever has the answer may ask again before this task has come to its end.
            visit.when_answered = place.close
            await visit.while_there(self._app(visit.scope, receive, send))

    def _check_key(self, keys: Keys, visit: Visit) -> None:
        """Raises KeyNeeded, TooManyRequests, NotAllowed."""
        path = visit.scope["path"]
        if path.startswith(API) and path != _OPEN and visit.scope["method"] != "OPTIONS":
            visit.state["key"] = key = keys.admit(_presented(visit.headers))
            key.check(_permission(path))

    def _add_metrics(self, record: Record) -> None:
        places, keys = self.places, self._keys
        in_flight = "Requests with a body that are being answered"
        record.watch("face_gateway_requests_in_flight", in_flight, lambda: places.taken)
        record.watch("face_gateway_held_bytes", "Bytes kept for their bodies and answers", lambda: places.held)
        if keys is not None:

            def cannot_be_read() -> bool:
                keys.look()
                return keys.complaint is not None

            text = "1: the file of keys is wrong or gone, and the keys that were read before go on"
            record.watch("face_gateway_keys_unreadable", text, cannot_be_read)

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


def _readable(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Pages of these origins may read its answers, refusals too."""
    return CORSMiddleware(
        app,
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "X-API-Key", "X-Request-ID", "Content-Type"],
        expose_headers=["X-Request-ID", "Server-Timing", "Retry-After"],
    )
