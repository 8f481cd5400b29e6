"""The paths that answer with pictures: crop and blur.

What takes long is done in threads: decoding, encoding, base64, the text of the answer. What takes memory is bounded: so
many pixels are decoded at a time, and an answer keeps its room until it is out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from face_client import AsyncFaceClient
from face_client.errors import FaceError, InvalidInput
from face_client.faces import Faces
from face_gateway import answers, parameters
from face_gateway.asking import Asked, document_of, each, read
from face_gateway.bodies import Picture
from face_gateway.describing import described
from face_gateway.places import Place
from face_gateway.room import Room, finished_in_thread
from face_gateway.settings import Limits
from face_tools.blur.covering import Style, blur_faces
from face_tools.blur.seeing import pixels_of, to_look_at
from face_tools.blur.selecting import RECALL

# The server answers with 256 MB of crops at most for a picture, which become files here.
_CUT_AT_A_TIME = 4

_MOST_BYTES = 64 * 2**20
"""Of the files of an answer."""

# A file is itself, its base64, and that in the text of the answer.
_COPIES = 3


class Made(NamedTuple):
    """What was made of a picture. faces: found in it. files: of each face, or one of the whole."""

    faces: Faces
    files: list[bytes]


def router(client: AsyncFaceClient, limits: Limits) -> APIRouter:
    """The paths, over a client."""
    paths = APIRouter(tags=["pictures"])
    # A decoded picture of 50 megapixels whose faces are covered takes 0.8 GB.
    room = Room(limits.pixels)
    cutting = asyncio.Semaphore(_CUT_AT_A_TIME)

    @paths.post(
        "/v1/crop",
        **described(parameters.Crop, answers.CropAnswer, "Cut the faces out of pictures", other_types=(answers.ZIP,)),
    )
    async def crop(request: Request) -> Response:
        asked = await read(request, parameters.Crop, limits)
        wanted = asked.parameters
        making = _Making(asked, request.state.place, wanted.format)

        async def find(picture: Picture) -> Made:
            async with cutting:
                faces = await client.detect(picture.data, crops=True, timing=True, **wanted.options)
                assert faces.crops is not None, "they were asked for"
                files = await finished_in_thread(_encoded, faces.crops, wanted.format)
                making.keep(files)
            return Made(replace(faces, crops=None), files)

        answer = await each(asked, find, making.of_crops)
        return await making.response(answer, as_zip=wants(request, answers.ZIP))

    @paths.post(
        "/v1/blur",
        **described(
            parameters.Blur,
            answers.BlurAnswer,
            "Cover the faces in pictures",
            other_types=(answers.ZIP, *(answers.media_type(suffix) for suffix in answers.FORMATS)),
        ),
    )
    async def blur(request: Request) -> Response:
        asked = await read(request, parameters.Blur, limits)
        wanted = asked.parameters
        as_picture = wants(request, "image/")
        if as_picture and len(asked.pictures) > 1:
            raise InvalidInput(f"{len(asked.pictures)} pictures do not fit into one: accept {answers.ZIP} or JSON")
        style = Style(wanted.method, wanted.shape, wanted.grow).check()
        suffix = wanted.format or answers.suffix_of(request.headers.get("accept", "")) or answers.DEFAULT_SUFFIX
        making = _Making(asked, request.state.place, suffix)

        async def find(picture: Picture) -> Made:
            answers.check_fits(picture.size, suffix)
            async with room.hold(picture.pixels):
                shown = await finished_in_thread(to_look_at, picture.data)
                # Rather too many faces than too few, as `faces blur` does.
                faces = await client.detect(shown, timing=True, **{**RECALL, **wanted.options})
                file = await finished_in_thread(_covered, picture.data, faces, style, suffix)
            making.keep([file])
            return Made(faces, [file])

        answer = await each(asked, find, making.of_copy)
        if as_picture:
            (file,) = making.files.values()
            return Response(file, media_type=answers.media_type(suffix))
        return await making.response(answer, as_zip=wants(request, answers.ZIP))

    return paths


class _Making:
    """The answer of one request: its files by name, and its document, in which the names stand until it is rendered.

    suffix: of the files.
    """

    def __init__(self, asked: Asked[Any], place: Place, suffix: str) -> None:
        self._asked = asked
        self._place = place
        self._suffix = suffix
        self._bytes = 0
        self._refusal: FaceError | None = None
        self.files: dict[str, bytes] = {}

    def keep(self, files: list[bytes]) -> None:
        """Room for these files. Raises InvalidInput where they are too many, TooManyRequests where there is none; which
        picture that meets is chance, so it is the end of the whole request."""
        size = sum(map(len, files))
        self._bytes += size
        try:
            if self._bytes > _MOST_BYTES:
                raise InvalidInput(
                    f"the answer's pictures have more than {_MOST_BYTES} bytes: send fewer, or ask for smaller ones"
                )
            self._place.keep(_COPIES * size)
        except FaceError as error:
            self._refusal = error
            raise

    def of_crops(self, picture: Picture, made: Made) -> dict[str, Any]:
        """The faces, each with its crop."""
        told = document_of(self._asked, made.faces)
        for number, (face, file) in enumerate(zip(told["faces"], made.files, strict=True), 1):
            face["crop"] = self._named(f"{answers.stem_of(picture)}_{number}.{self._suffix}", file)
        return told

    def of_copy(self, picture: Picture, made: Made) -> dict[str, Any]:
        """The faces that are covered, and the copy."""
        told = document_of(self._asked, made.faces)
        told["faces"] = [{"box": face["box"], "probability": face["probability"]} for face in told["faces"]]
        (file,) = made.files
        return {**told, "picture": self._named(f"{answers.stem_of(picture)}.{self._suffix}", file)}

    def _named(self, name: str, file: bytes) -> str:
        self.files[name] = file
        return name

    async def response(self, answer: dict[str, Any], *, as_zip: bool) -> Response:
        """A zip of the files, or JSON with each in its place. Raises what `keep` raised."""
        if self._refusal is not None:
            raise self._refusal
        render: Callable[[], Response] = partial(answers.zipped, self.files.items(), answer)
        if not as_zip:
            render = partial(self._as_json, answer)
        return await finished_in_thread(render)

    def _as_json(self, answer: dict[str, Any]) -> Response:
        for image in answer["images"]:
            for holder, name in ((image, "picture"), *((face, "crop") for face in image.get("faces", ()))):
                if name in holder:
                    holder[name] = answers.data_url(self.files[holder[name]], self._suffix)
        return JSONResponse(answer)


def wants(request: Request, kind: str) -> bool:
    """Whether the caller asks for that type before JSON: it is named, and JSON is not."""
    accepted = request.headers.get("accept", "").lower()
    return kind in accepted and "json" not in accepted


def _encoded(crops: NDArray[np.uint8], suffix: str) -> list[bytes]:
    return [answers.encoded(crop, suffix) for crop in crops]


def _covered(data: bytes, faces: Faces, style: Style, suffix: str) -> bytes:
    """Raises InvalidImage."""
    return answers.encoded(blur_faces(pixels_of(data, faces), faces, **style._asdict()), suffix)
