"""What callers send: pictures and parameters, as a form, as one picture, or as JSON. Kept in memory, never on disk."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from typing import Any, NamedTuple

from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from face_client.errors import InvalidImage, InvalidInput
from face_gateway.errors import BodyTooLarge, BodyTooSlow, InvalidBody, UnsupportedBody
from face_gateway.settings import Limits
from face_pictures.decoding import image_size

PICTURE_FIELD = "image"
"""Of forms: any part with a file name is a picture, whatever its field."""

JSON_FIELD = "images"

# Larger bodies of JSON are read beside the event loop, which answers others meanwhile.
_LARGE_JSON = 64 * 1024

MOST_FIELDS = 64
"""Parameters of a request, wherever they are."""

_DATA_URL = re.compile(r"data:[\w.+/-]*;base64,", re.ASCII)
_LONGEST_NAME = 200


class Picture(NamedTuple):
    """name: of its file, for the answer. data: the file. number: among those of its request, from 1. size: (width,
    height) by its header; None: not looked at, or not to be read here."""

    name: str
    data: bytes
    number: int = 0
    size: tuple[int, int] | None = None

    @property
    def pixels(self) -> int:
        """0 where the header cannot be read: the server says what is wrong with it."""
        return 0 if self.size is None else self.size[0] * self.size[1]

    def measured(self, number: int) -> Picture:
        """With its number and its size, for which no pixel is decoded."""
        try:
            size = image_size(self.data)
        except InvalidImage:
            size = None
        return self._replace(number=number, size=size)


class Body(NamedTuple):
    """fields: parameters, as text from a form and as JSON's values from JSON."""

    pictures: list[Picture]
    fields: Mapping[str, Any]


async def read_body(request: Request, limits: Limits) -> Body:
    """Raises InvalidBody, BodyTooLarge, BodyTooSlow, InvalidInput for too many pictures."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await _read(request, kind, limits)
    except TimeoutError:
        raise BodyTooSlow(f"the body did not arrive within {limits.body_seconds:g} s") from None
    except ClientDisconnect:
        raise InvalidBody("the caller hung up before the body was there") from None
    _check_images(len(body.pictures), limits)
    return body


def _check_images(count: int, limits: Limits) -> None:
    if count > limits.images:
        raise InvalidInput(f"the request has {count} pictures; at most {limits.images} are allowed")


async def _read(request: Request, kind: str, limits: Limits) -> Body:
    if kind == "multipart/form-data":
        return await _form(request, limits)
    if kind == "application/json":
        data = await _whole(request, limits)
        return await asyncio.to_thread(_json, data, limits) if len(data) > _LARGE_JSON else _json(data, limits)
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        data = await _whole(request, limits)
        return Body([Picture("image", data)] if data else [], {})
    raise UnsupportedBody(
        f"Content-Type is {kind[:80]!r}; send multipart/form-data, a picture (image/…) or application/json"
    )


async def _whole(request: Request, limits: Limits) -> bytes:
    return b"".join([chunk async for chunk in _counted(request, limits)])


async def _counted(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Its announced length was judged already; this is for one that was not announced."""
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        check_length(size, limits)
        yield chunk


def check_length(size: int, limits: Limits) -> None:
    """Raises BodyTooLarge."""
    if size > limits.body_bytes:
        raise BodyTooLarge(f"the body has more than {limits.body_bytes} bytes")


class _InMemory(MultiPartParser):
    # Starlette's writes files of more than 1 MB to a temporary one.
    spool_max_size = sys.maxsize
    is_whole = False

    def on_end(self) -> None:
        # Behind the last boundary.
        self.is_whole = True


async def _form(request: Request, limits: Limits) -> Body:
    _, options = parse_options_header(request.headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() != b"utf-8":
        # Any other that Python knows would be believed, and some of them are no charsets.
        raise UnsupportedBody("the names in a form must be in UTF-8")
    parser = _InMemory(request.headers, _counted(request, limits), max_files=limits.images, max_fields=MOST_FIELDS)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidBody(f"the form cannot be read: {error.message}") from error
    if not parser.is_whole:
        raise InvalidBody("the form cannot be read: it ends before its last boundary")
    pictures, fields = [], dict[str, Any]()
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            pictures.append(Picture((value.filename or name)[:_LONGEST_NAME], await value.read()))
        elif name in fields:
            raise InvalidInput(f"the field {name[:80]!r} is there twice")
        else:
            fields[name] = value
    await form.close()
    return Body(pictures, fields)


def _json(data: bytes, limits: Limits) -> Body:
    try:
        document = json.loads(data, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise InvalidBody(f"the body is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidBody(f'the body must be a JSON object: {{"{JSON_FIELD}": ["…"]}}')
    fields = document
    images = fields.pop(JSON_FIELD, [])
    if not isinstance(images, list) or not all(isinstance(image, str) for image in images):
        raise InvalidBody(f"{JSON_FIELD} must be a list of pictures in base64")
    # Here already: they may be millions.
    _check_images(len(images), limits)
    if len(fields) > MOST_FIELDS:
        raise InvalidBody(f"the body has {len(fields)} fields beside {JSON_FIELD}; at most {MOST_FIELDS} are allowed")
    return Body([Picture(f"image_{number}", _decoded(image, number)) for number, image in enumerate(images, 1)], fields)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises InvalidInput for a name that is there twice."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise InvalidInput(f"the field {twice[:80]!r} is there twice")
    return fields


def _decoded(text: str, number: int) -> bytes:
    start = _DATA_URL.match(text)
    try:
        return base64.b64decode(text[start.end() :] if start else text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidBody(
            f"picture {number} of {JSON_FIELD} is no base64 of a file, and nothing else is fetched: {error}"
        ) from error
