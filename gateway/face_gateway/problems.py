"""Errors as answers: problem documents of RFC 9457. The one place where errors meet HTTP's statuses."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.responses import JSONResponse

from face_client.errors import (
    Cancelled,
    DeadlineExceeded,
    FaceError,
    InvalidImage,
    InvalidInput,
    ModelNotLoaded,
    NoFace,
    ServerError,
    ServerOverloaded,
    ServerUnavailable,
    TooManyPixels,
    UnfitWeights,
)
from face_gallery.errors import FaceRefused, GalleryUnavailable, GalleryUnfit, UnknownPerson
from face_gateway.errors import (
    BodyTooLarge,
    BodyTooSlow,
    HeaderTooLarge,
    InvalidBody,
    KeyNeeded,
    NoSuchMethod,
    NoSuchPath,
    NotAllowed,
    TooManyRequests,
    UnsupportedBody,
)

# What the server calls a picture: a tensor, of which callers here know nothing.
_OF_TRITON = re.compile(r"^encoded_image\b")

# gRPC names the addresses that it tried.
_OF_NETWORK = re.compile(r"failed to connect|ipv[46]:")

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER_S = 1.0
"""Where nobody knows better."""


class Kind(NamedTuple):
    """status: HTTP's. title: the same for every problem of the kind. may_retry: asking again may help."""

    status: int
    title: str
    may_retry: bool = False


KINDS: Mapping[type[FaceError], Kind] = {
    InvalidInput: Kind(400, "The request is wrong"),
    InvalidBody: Kind(400, "The body cannot be read"),
    KeyNeeded: Kind(401, "An API key is needed"),
    NotAllowed: Kind(403, "Not allowed"),
    NoSuchPath: Kind(404, "Nothing is there"),
    UnknownPerson: Kind(404, "Nobody of that name is enrolled"),
    NoSuchMethod: Kind(405, "Another method is needed"),
    BodyTooSlow: Kind(408, "The body did not arrive in time", may_retry=True),
    BodyTooLarge: Kind(413, "The body is too large"),
    TooManyPixels: Kind(413, "The picture has too many pixels"),
    UnsupportedBody: Kind(415, "Bodies of that type are not read"),
    HeaderTooLarge: Kind(431, "The header is too large"),
    InvalidImage: Kind(422, "The picture cannot be read"),
    NoFace: Kind(422, "The picture shows no face"),
    FaceRefused: Kind(422, "The face is not enrolled"),
    TooManyRequests: Kind(429, "Too many requests", may_retry=True),
    ServerOverloaded: Kind(429, "The server has more to do than it can", may_retry=True),
    GalleryUnfit: Kind(500, "The gallery cannot be used"),
    ModelNotLoaded: Kind(501, "The server has no such model"),
    UnfitWeights: Kind(501, "FaceNet's weights do not do for this"),
    ServerError: Kind(502, "The server failed"),
    ServerUnavailable: Kind(503, "The server does not answer", may_retry=True),
    Cancelled: Kind(503, "The gateway is going", may_retry=True),
    GalleryUnavailable: Kind(503, "The gallery cannot be reached", may_retry=True),
    DeadlineExceeded: Kind(504, "The answer did not come in time", may_retry=True),
    # What no other line is about: a fault of ours.
    FaceError: Kind(500, "The gateway failed"),
}


def kind_of(error: FaceError) -> tuple[str, Kind]:
    """Its name and kind: of the nearest class above it that has one."""
    return next((each.__name__, KINDS[each]) for each in type(error).__mro__ if each in KINDS)


def document(error: FaceError, request_id: str | None = None) -> dict[str, Any]:
    """The problem. request_id: of the answer; the error's own is longer, and what the server's log has."""
    name, kind = kind_of(error)
    problem: dict[str, Any] = {
        "type": f"/problems#{name}",
        "title": kind.title,
        "status": kind.status,
        "detail": _detail(error) or kind.title,
    }
    known = error.request_id or request_id
    return {**problem, "request_id": known} if known else problem


def _detail(error: FaceError) -> str:
    """In the words of this side: callers know neither tensors nor addresses behind the gateway."""
    if _OF_NETWORK.search(str(error)):
        return "the server that finds the faces cannot be reached"
    return _OF_TRITON.sub("the file", str(error))


def response(error: FaceError, request_id: str | None = None) -> JSONResponse:
    """The answer, with the headers that belong to its status."""
    _, kind = kind_of(error)
    headers = {}
    if kind.may_retry:
        # Whole seconds (RFC 9110).
        headers["Retry-After"] = str(math.ceil(getattr(error, "after", RETRY_AFTER_S)))
    if isinstance(error, KeyNeeded):
        headers["WWW-Authenticate"] = 'Bearer realm="faces"'
    if isinstance(error, NoSuchMethod):
        headers["Allow"] = error.allow
    return JSONResponse(document(error, request_id), kind.status, headers=headers, media_type=MEDIA_TYPE)


def as_html() -> str:
    """What `type` of a problem points to."""
    rows = "".join(
        f'<tr id="{each.__name__}"><td>{kind.status}</td><td>{each.__name__}</td><td>{html.escape(kind.title)}</td>'
        f"<td>{'yes' if kind.may_retry else 'no'}</td></tr>"
        for each, kind in sorted(KINDS.items(), key=lambda item: item[1].status)
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems</title>'
        '<link rel="stylesheet" href="/static/page.css"><main><h1>Problems</h1>'
        "<table><tr><th>status</th><th>type</th><th>title</th><th>asking again may help</th></tr>"
        f"{rows}</table></main></html>"
    )
