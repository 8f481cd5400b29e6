"""The paths about pictures: detect, recognize, compare, crop, blur."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from numpy.typing import NDArray

from face_client import AsyncFaceClient
from face_client.errors import InvalidImage, InvalidInput
from face_client.faces import Faces
from face_client.messages import ids_beginning
from face_client.options import of_one_face
from face_client.similarity import compare_faces
from face_gateway import answers, parameters
from face_gateway.asking import Asked, each, read
from face_gateway.bodies import Picture
from face_gateway.describing import described
from face_gateway.room import Room
from face_gateway.settings import Settings
from face_pictures.decoding import decode_as_shown, is_transparent
from face_tools.blur.covering import Style, blur_faces
from face_tools.blur.selecting import RECALL

# The server answers with 256 MB of crops at most for a picture, which become files here; those of a request stay below
# that too.
_CUT_AT_A_TIME = 4
_MOST_CUT_BYTES = 256 * 2**20


def document_of(asked: Asked[Any], faces: Faces) -> dict[str, Any]:
    """What `faces detect --json` says of a picture. Its stages go into the timing of a request that has no other."""
    if faces.timing is not None and len(asked.pictures) == 1:
        asked.timing.update(faces.timing)
    dropped = {"candidates_dropped": faces.candidates_dropped} if faces.candidates_dropped else {}
    return {**faces.to_dict(), **dropped}


def router(client: AsyncFaceClient, settings: Settings) -> APIRouter:
    """The paths, over a client."""
    paths = APIRouter(tags=["pictures"])
    limits = settings.limits
    # The others send files on as they came. A decoded picture of 50 megapixels whose faces are covered takes 0.8 GB.
    room = Room(limits.pixels)
    cutting = asyncio.Semaphore(_CUT_AT_A_TIME)

    @paths.post("/v1/detect", **described(parameters.Detect, answers.DetectAnswer, "Find the faces in pictures"))
    async def detect(request: Request) -> Response:
        asked = await read(request, parameters.Detect, limits)
        options = asked.parameters.options
        answer = await each(
            asked,
            lambda picture: client.detect(picture.data, timing=True, **options),
            lambda _, faces: document_of(asked, faces),
        )
        return JSONResponse(answer)

    @paths.post(
        "/v1/recognize", **described(parameters.Recognize, answers.RecognizeAnswer, "The same, with embeddings")
    )
    async def recognize(request: Request) -> Response:
        asked = await read(request, parameters.Recognize, limits)
        options = asked.parameters.options
        answer = await each(
            asked,
            lambda picture: client.recognize(picture.data, timing=True, **options),
            lambda _, faces: document_of(asked, faces),
        )
        return JSONResponse(answer)

    @paths.post(
        "/v1/compare",
        **described(parameters.Compare, answers.CompareAnswer, "Whether two pictures show one person", pictures=2),
    )
    async def compare(request: Request) -> Response:
        asked = await read(request, parameters.Compare, limits)
        pair = asked.exactly(2)
        options = of_one_face(asked.parameters.options)
        with ids_beginning(f"{asked.request_id}-"):
            first, second = await asyncio.gather(*(client.recognize(picture.data, **options) for picture in pair))
        threshold = asked.parameters.threshold
        comparison = compare_faces(first, second, threshold, random_weights=settings.random_weights)
        names = [picture.name for picture in pair]
        return JSONResponse({"images": names, **comparison._asdict(), "threshold": threshold})

    @paths.post(
        "/v1/crop",
        **described(parameters.Crop, answers.CropAnswer, "Cut the faces out of pictures", other_types=(answers.ZIP,)),
    )
    async def crop(request: Request) -> Response:
        asked = await read(request, parameters.Crop, limits)
        return await _crop(client, asked, cutting, wants(request, answers.ZIP))

    @paths.post(
        "/v1/blur",
        **described(
            parameters.Blur,
            answers.BlurAnswer,
            "Cover the faces in pictures",
            other_types=(answers.ZIP, *(answers.media_type(suffix) for suffix in parameters.FORMATS)),
        ),
    )
    async def blur(request: Request) -> Response:
        asked = await read(request, parameters.Blur, limits)
        return await _blur(client, asked, room, wants(request, "image/"), wants(request, answers.ZIP))

    return paths


def wants(request: Request, kind: str) -> bool:
    """Whether the caller asks for that type before JSON: it is named, and JSON is not."""
    accepted = request.headers.get("accept", "")
    return kind in accepted and "json" not in accepted


async def _crop(
    client: AsyncFaceClient, asked: Asked[parameters.Crop], cutting: asyncio.Semaphore, as_zip: bool
) -> Response:
    suffix, options = asked.parameters.format, asked.parameters.options
    files: dict[str, bytes] = {}
    sizes: list[int] = []
    number_of = {id(picture): number for number, picture in enumerate(asked.pictures, 1)}

    async def find(picture: Picture) -> tuple[Faces, list[bytes]]:
        async with cutting:
            faces = await client.detect(picture.data, crops=True, timing=True, **options)
            crops = faces.crops
            assert crops is not None
            cut = await asyncio.to_thread(lambda: [answers.encoded(crop, suffix) for crop in crops])
        sizes.extend(map(len, cut))
        if sum(sizes) > _MOST_CUT_BYTES:
            raise InvalidInput(
                f"the crops have more than {_MOST_CUT_BYTES} bytes: ask for fewer, or with a smaller image_size"
            )
        return replace(faces, crops=None), cut

    def document(picture: Picture, found: tuple[Faces, list[bytes]]) -> dict[str, Any]:
        faces, crops = found
        told = document_of(asked, faces)
        for number, (face, crop) in enumerate(zip(told["faces"], crops, strict=True), 1):
            if as_zip:
                face["crop"] = f"{answers.stem_of(picture.name, number_of[id(picture)])}_{number}.{suffix}"
                files[face["crop"]] = crop
            else:
                face["crop"] = answers.data_url(crop, suffix)
        return told

    answer = await each(asked, find, document)
    return answers.zipped(files.items(), answer) if as_zip else JSONResponse(answer)


async def _blur(
    client: AsyncFaceClient, asked: Asked[parameters.Blur], room: Room, as_picture: bool, as_zip: bool
) -> Response:
    if as_picture and len(asked.pictures) > 1:
        raise InvalidInput(f"{len(asked.pictures)} pictures do not fit into one: accept {answers.ZIP} or JSON")
    wanted = asked.parameters
    style = Style(wanted.method, wanted.shape, wanted.grow).check()
    files: dict[str, bytes] = {}
    number_of = {id(picture): number for number, picture in enumerate(asked.pictures, 1)}

    async def find(picture: Picture) -> tuple[Faces, bytes]:
        async with room.hold(picture.pixels):
            shown = await asyncio.to_thread(_shown, picture.data)
            # Rather too many faces than too few, as `faces blur` does.
            faces = await client.detect(shown, timing=True, **{**RECALL, **wanted.options})
            return faces, await asyncio.to_thread(_covered, picture.data, faces, style, wanted.format)

    def document(picture: Picture, found: tuple[Faces, bytes]) -> dict[str, Any]:
        faces, file = found
        name = f"{answers.stem_of(picture.name, number_of[id(picture)])}.{wanted.format}"
        files[name] = file
        told = document_of(asked, faces)
        told["faces"] = [{"box": face["box"], "probability": face["probability"]} for face in told["faces"]]
        return {**told, "picture": name if as_zip else "" if as_picture else answers.data_url(file, wanted.format)}

    answer = await each(asked, find, document)
    if as_picture:
        (file,) = files.values()
        return Response(file, media_type=answers.media_type(wanted.format))
    return answers.zipped(files.items(), answer) if as_zip else JSONResponse(answer)


def _shown(data: bytes) -> bytes | NDArray[np.uint8]:
    """What the server is to look at: the file, or what a person sees where it has more under transparency."""
    try:
        return decode_as_shown(data) if is_transparent(data) else data
    except InvalidImage:
        # The server says what is wrong with it.
        return data


def _covered(data: bytes, faces: Faces, style: Style, suffix: str) -> bytes:
    """Raises InvalidImage."""
    pixels = decode_as_shown(data)
    if pixels.shape[:2] != (faces.height, faces.width):
        raise InvalidImage("the server reads the file as a picture of another size")
    return answers.encoded(blur_faces(pixels, faces, **style._asdict()), suffix)
