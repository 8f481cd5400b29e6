"""The paths that tell of pictures: detect, recognize, compare."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from face_client import AsyncFaceClient
from face_client.faces import Faces
from face_client.messages import ids_beginning
from face_client.options import of_one_face
from face_client.similarity import compare_faces
from face_gateway import answers, parameters
from face_gateway.asking import Asked, document_of, each, read
from face_gateway.describing import described
from face_gateway.settings import Settings


def router(client: AsyncFaceClient, settings: Settings) -> APIRouter:
    """The paths, over a client."""
    paths = APIRouter(tags=["pictures"])
    limits = settings.limits

    @paths.post("/v1/detect", **described(parameters.Detect, answers.DetectAnswer, "Find the faces in pictures"))
    async def detect(request: Request) -> Response:
        return await _found_in(client.detect, await read(request, parameters.Detect, limits))

    @paths.post(
        "/v1/recognize", **described(parameters.Recognize, answers.RecognizeAnswer, "The same, with embeddings")
    )
    async def recognize(request: Request) -> Response:
        return await _found_in(client.recognize, await read(request, parameters.Recognize, limits))

    @paths.post(
        "/v1/compare",
        **described(parameters.Compare, answers.CompareAnswer, "Whether two pictures show one person", pictures=2),
    )
    async def compare(request: Request) -> Response:
        asked = await read(request, parameters.Compare, limits)
        pair = asked.exactly(2)
        options = of_one_face(asked.parameters.options)
        with ids_beginning(f"{asked.request_id}-"):
            found = await asyncio.gather(
                *(client.recognize(picture.data, **options) for picture in pair), return_exceptions=True
            )
        first, second = (_found(each) for each in found)
        threshold = asked.parameters.threshold
        comparison = compare_faces(first, second, threshold, random_weights=settings.random_weights)
        names = [picture.name for picture in pair]
        assert first.weights is not None, "it has a face"
        weights = {"weights": first.weights.to_dict()}
        return JSONResponse({"images": names, **comparison._asdict(), "threshold": threshold, **weights})

    return paths


async def _found_in(find: Callable[..., Awaitable[Faces]], asked: Asked[Any]) -> Response:
    """The faces that a method of the client finds in each picture."""
    answer = await each(
        asked,
        lambda picture: find(picture.data, timing=True, **asked.parameters.options),
        lambda _, faces: document_of(asked, faces),
    )
    return JSONResponse(answer)


def _found(answer: Faces | BaseException) -> Faces:
    """Raises the error that came instead."""
    if isinstance(answer, BaseException):
        raise answer
    return answer
