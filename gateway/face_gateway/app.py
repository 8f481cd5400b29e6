"""The application: paths, page, health and metrics behind one door."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from face_client import AsyncFaceClient
from face_client.errors import FaceError
from face_gallery import AsyncGallery, AsyncServedGallery
from face_gateway import answers, cutting, describing, finding, people, problems
from face_gateway.door import Door
from face_gateway.errors import NoSuchMethod, NoSuchPath
from face_gateway.keys import Keys
from face_gateway.page import add_page
from face_gateway.parameters import described
from face_gateway.record import Record
from face_gateway.settings import Settings

_ABOUT = """Finds and recognises faces in pictures. Pictures come as a form, as a body of their own, or in base64 in
JSON; parameters in the query, the form or the JSON. Errors are problem documents (RFC 9457)."""

# How long an answer about the server's models is good for.
_LOOK_AGAIN_S = 2.0


def make_app(
    settings: Settings, client: AsyncFaceClient, gallery: AsyncGallery | None = None, record: Record | None = None
) -> ASGIApp:
    """An ASGI application, with the lifespan that closes client and gallery.

    gallery: of settings.gallery, opened with this client. record: without one there is no log.
    Raises InvalidInput for a file of keys that cannot be read.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if gallery is not None:
            await gallery.close()
        await client.close()

    app = FastAPI(
        title="Faces",
        version=version("triton-faces-gateway"),
        description=_ABOUT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # They would go to the host and scheme that were asked, which behind a proxy are others.
        redirect_slashes=False,
        # The door has its own, without queries and names of people.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    record = record or Record()
    models = Models(client)
    app.include_router(finding.router(client, settings))
    app.include_router(cutting.router(client, settings.limits))
    names = AsyncServedGallery(client) if settings.served else gallery
    if names is not None:
        app.include_router(people.naming(names, settings.limits))
    if gallery is not None:
        app.include_router(people.keeping(gallery, settings.limits))
    _add_service(app, settings, models, enrolment=gallery is not None, identification=names is not None)
    _add_health(app, models, record)
    add_page(app)
    _add_errors(app)
    _describe(app, settings)
    keys = None if settings.keys is None else Keys(settings.keys, tell=record.warn)
    return Door(app, settings, keys, record)


class Models:
    """Which of the server's models are there, each asked by one at a time, at most every so often."""

    def __init__(self, client: AsyncFaceClient) -> None:
        self._client = client
        self._known: dict[str, tuple[float, bool]] = {}
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def ready(self, model: str) -> bool:
        """Whether it takes requests."""
        told, answer = self._known.get(model, (-math.inf, False))
        if time.monotonic() - told < _LOOK_AGAIN_S:
            return answer
        if model not in self._asking:
            self._asking[model] = asyncio.create_task(self._ask(model))
        # Others wait for the same answer.
        return await asyncio.shield(self._asking[model])

    async def _ask(self, model: str) -> bool:
        try:
            answer = await self._client.is_ready(model)
            self._known[model] = time.monotonic(), answer
        finally:
            del self._asking[model]
        return answer

    async def finds(self) -> bool:
        return await self.ready(self._client.model)

    async def recognizes(self) -> bool:
        """Both are needed: the ensemble is ready without its last network."""
        return all(await asyncio.gather(self.ready(self._client.recognizer), self.ready(self._client.embedder)))


def _add_service(app: FastAPI, settings: Settings, models: Models, *, enrolment: bool, identification: bool) -> None:
    @app.get(
        "/v1/service",
        tags=["service"],
        summary="What this service can do, its limits and parameters",
        responses={200: {"model": answers.ServiceAnswer}},
        openapi_extra=describing.OPEN,
    )
    async def service() -> Response:
        told = {
            "version": app.version,
            "detection": await models.finds(),
            "recognition": await models.recognizes(),
            "identification": identification,
            "enrolment": enrolment,
            "keys": settings.keys is not None,
            "limits": asdict(settings.limits),
            "parameters": described(),
        }
        return JSONResponse(told)


def _add_health(app: FastAPI, models: Models, record: Record) -> None:
    @app.get("/health/live", tags=["service"], summary="Whether this process answers", openapi_extra=describing.OPEN)
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/health", include_in_schema=False)
    @app.get(
        "/health/ready",
        tags=["service"],
        summary="Whether faces are found: 200, or else 503",
        responses={503: {"description": "They are not"}},
        openapi_extra=describing.OPEN,
    )
    async def ready() -> Response:
        is_ready = await models.finds()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(record.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(app: FastAPI) -> None:
    def on_fault(request: Request, _: Exception) -> Response:
        """The answer to what nobody foresaw; the exception goes on to the log."""
        return problems.response(FaceError("the gateway failed; its log says why"), request.state.request_id)

    def on_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, FaceError)
        return problems.response(error, request.state.request_id)

    def on_http(request: Request, error: Exception) -> Response:
        """What the framework says of paths: those that are not there, and their methods."""
        assert isinstance(error, HTTPException)
        path = request.url.path[:200]
        if error.status_code == 405:
            # The error's own has the methods of one of the path's routes.
            methods = app.openapi()["paths"].get(getattr(request.scope.get("route"), "path", None), ())
            allow = ", ".join(sorted(map(str.upper, methods))) or (error.headers or {}).get("Allow", "")
            told: FaceError = NoSuchMethod(f"{path} takes {allow}, not {request.method}", allow)
        else:
            told = NoSuchPath(f"{path} is no path of this service: /docs has them all")
        return problems.response(told, request.state.request_id)

    app.add_exception_handler(Exception, on_fault)
    app.add_exception_handler(FaceError, on_error)
    app.add_exception_handler(HTTPException, on_http)


def _describe(app: FastAPI, settings: Settings) -> None:
    """OpenAPI, completed by what paths refer to, and by how keys are sent."""
    document = app.openapi()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in describing.components().items():
        schemas.setdefault(name, schema)
    if settings.keys is not None:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"key": []}]
