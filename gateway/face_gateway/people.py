"""The paths about people: identify, enrol, list, forget. They are there where a gallery is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from face_client.errors import FaceError, InvalidImage, InvalidInput
from face_client.messages import ids_beginning
from face_gallery import AsyncGallery, AsyncServedGallery, Enrolled, Identified
from face_gateway import answers, parameters, problems
from face_gateway.asking import each, read
from face_gateway.bodies import Picture
from face_gateway.describing import described
from face_gateway.settings import Limits

# Browsers and others take them out of an address, so nobody of that name could be erased.
_NO_PATHS = (".", "..")


def naming(gallery: AsyncGallery | AsyncServedGallery, limits: Limits) -> APIRouter:
    """The path that says who faces are."""
    paths = APIRouter(tags=["people"])

    @paths.post("/v1/identify", **described(parameters.Identify, answers.IdentifyAnswer, "Who is in pictures"))
    async def identify(request: Request) -> Response:
        asked = await read(request, parameters.Identify, limits)
        wanted = asked.parameters
        answer = await each(
            asked,
            lambda picture: gallery.identify(
                picture.data,
                top=wanted.top,
                threshold=wanted.threshold,
                collections=wanted.collections,
                where=wanted.where,
                **wanted.options,
            ),
            _identified,
        )
        return JSONResponse(answer)

    return paths


def keeping(gallery: AsyncGallery, limits: Limits) -> APIRouter:
    """The paths that change and show who is in a gallery."""
    paths = APIRouter(tags=["people"])

    @paths.get(
        "/v1/gallery/people",
        **described(parameters.People, answers.PeopleAnswer, "Who is enrolled", pictures=0),
    )
    async def people(request: Request) -> Response:
        wanted = parameters.read_parameters(parameters.People, request, {})
        collections = None if wanted.collection is None else [wanted.collection]

        def answer() -> Response:
            found = list(islice(gallery.store.people(collections, None), wanted.limit + 1))
            shown = [person.to_dict() for person in found[: wanted.limit]]
            return JSONResponse({"people": shown, "more": len(found) > wanted.limit})

        return await asyncio.to_thread(answer)

    @paths.post(
        "/v1/gallery/people",
        **described(parameters.Enrol, answers.EnrolAnswer, "Enrol a person, or more faces of one"),
    )
    async def enrol(request: Request) -> Response:
        asked = await read(request, parameters.Enrol, limits)
        wanted = asked.parameters
        if wanted.person in _NO_PATHS:
            raise InvalidInput(f"person is {wanted.person!r}, which no address can name")
        with ids_beginning(f"{asked.request_id}-"):
            enrolled = await gallery.add(
                wanted.person,
                [picture.data for picture in asked.pictures],
                collection=wanted.collection,
                metadata=wanted.metadata,
                force=wanted.force,
                **wanted.options,
            )
        return JSONResponse(_enrolled(enrolled, asked.pictures))

    @paths.delete(
        "/v1/gallery/people/{person:path}",
        **described(parameters.Forget, answers.ForgetAnswer, "Erase a person with all faces", pictures=0),
    )
    async def forget(request: Request, person: str) -> Response:
        wanted = parameters.read_parameters(parameters.Forget, request, {})
        faces = await gallery.remove(person, collection=wanted.collection)
        return JSONResponse({"person": person, "collection": wanted.collection, "faces": faces})

    return paths


def _identified(picture: Picture, found: Sequence[Identified]) -> dict[str, Any]:
    if picture.size is None:
        raise InvalidImage("the server reads the picture, and the gateway cannot tell its size")
    width, height = picture.size
    return {"width": width, "height": height, "faces": [each.to_dict() for each in found]}


def _enrolled(enrolled: Enrolled, pictures: Sequence[Picture]) -> dict[str, Any]:
    refused = [
        {"image": pictures[number].name, "error": problems.document(error)}
        for number, error in enrolled.refused
        # Of no file there is no OSError.
        if isinstance(error, FaceError)
    ]
    return {
        "person": enrolled.person,
        "collection": enrolled.collection,
        "faces": len(enrolled.faces),
        "refused": refused,
    }
