"""A request's pictures, asked about one by one: each is a request of its own to the server, which gathers them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.requests import Request

from face_client.errors import FaceError, InvalidInput, TooManyPixels
from face_client.faces import Faces
from face_client.messages import ids_beginning
from face_gateway import problems
from face_gateway.bodies import Picture, read_body
from face_gateway.parameters import Model, read_parameters
from face_gateway.settings import Limits

# The headers of larger files are read beside the event loop: some were made to keep a reader busy for seconds.
_LARGE = 64 * 1024

Timing = dict[str, float]
"""Seconds by stage."""


@dataclass
class Asked(Generic[Model]):
    """What was asked. timing: of this request, for its `Server-Timing`."""

    pictures: list[Picture]
    parameters: Model
    request_id: str
    timing: Timing = field(default_factory=dict)

    def exactly(self, count: int) -> list[Picture]:
        """Raises InvalidInput for another number of pictures."""
        if len(self.pictures) != count:
            raise InvalidInput(f"the request has {len(self.pictures)} pictures; it must have {count}")
        return self.pictures


def document_of(asked: Asked[Any], faces: Faces) -> dict[str, Any]:
    """What `faces detect --json` says of a picture. Its stages go into the timing of a request that has no other."""
    if faces.timing is not None and len(asked.pictures) == 1:
        asked.timing.update(faces.timing)
    dropped = {"candidates_dropped": faces.candidates_dropped} if faces.candidates_dropped else {}
    return {**faces.to_dict(), **dropped}


async def read(request: Request, model: type[Model], limits: Limits) -> Asked[Model]:
    """The request's pictures and parameters. Raises InvalidInput and its like."""
    start = time.perf_counter()
    body = await read_body(request, limits)
    timing: Timing = request.state.timing
    timing["body"] = time.perf_counter() - start
    parameters = read_parameters(model, request, body.fields)
    pictures = await _measured(body.pictures)
    _check_pictures(pictures, limits)
    request.state.pictures = len(pictures)
    return Asked(pictures, parameters, request.state.request_id, timing)


async def _measured(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures with their sizes."""

    def measure() -> list[Picture]:
        return [picture.measured(number) for number, picture in enumerate(pictures, 1)]

    is_large = sum(len(picture.data) for picture in pictures) > _LARGE
    return await asyncio.to_thread(measure) if is_large else measure()


def _check_pictures(pictures: Sequence[Picture], limits: Limits) -> None:
    """Raises InvalidInput for none, TooManyPixels for those of all together."""
    if not pictures:
        raise InvalidInput("there is no picture in the request")
    pixels = sum(picture.pixels for picture in pictures)
    if pixels > limits.pixels:
        raise TooManyPixels(f"the pictures have {pixels} pixels together; at most {limits.pixels} are allowed")


Found = TypeVar("Found")


async def each(
    asked: Asked[Any],
    find: Callable[[Picture], Awaitable[Found]],
    document: Callable[[Picture, Found], Mapping[str, Any]],
) -> dict[str, Any]:
    """The answer's document: of each picture what was found in it, or its problem.

    Raises FaceError: that of the picture, where there is no other.
    """
    start = time.perf_counter()
    with ids_beginning(f"{asked.request_id}-"):
        found = await asyncio.gather(*(_or_why_not(find, picture) for picture in asked.pictures))
    asked.timing["server"] = time.perf_counter() - start
    if len(found) == 1 and isinstance(found[0], FaceError):
        raise found[0]
    return {
        "images": [
            {
                "image": picture.name,
                **({"error": problems.document(each)} if isinstance(each, FaceError) else document(picture, each)),
            }
            for picture, each in zip(asked.pictures, found, strict=True)
        ]
    }


async def _or_why_not(find: Callable[[Picture], Awaitable[Found]], picture: Picture) -> Found | FaceError:
    try:
        return await find(picture)
    except FaceError as error:
        return error
