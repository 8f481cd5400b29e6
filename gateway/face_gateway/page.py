"""The page, the documentation of the API, and what both need to know: no file of another host."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from face_gateway import problems

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Swagger UI writes styles into its elements, and has icons as data.
_POLICY_OF_DOCS = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")

_DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Faces: REST API</title>
<link rel="stylesheet" href="/docs/files/swagger-ui.css">
<link rel="icon" href="/static/icon.svg">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/files/swagger-ui-bundle.js"></script>
<script src="/static/docs.js"></script>
</body>
</html>
"""


def add_page(app: FastAPI) -> None:
    """`/`, its files under `/static`, `/docs` and `/problems`."""
    index = (files("face_gateway") / "static" / "index.html").read_text(encoding="utf-8")
    paths = APIRouter(include_in_schema=False)

    @paths.get("/")
    def page() -> Response:
        return _html(index, _POLICY)

    @paths.get("/docs")
    def docs() -> Response:
        return _html(_DOCS, _POLICY_OF_DOCS)

    @paths.get("/problems")
    def every_problem() -> Response:
        return _html(problems.as_html(), _POLICY)

    app.include_router(paths)
    app.mount("/static", _Files(packages=[("face_gateway", "static")]), name="static")
    app.mount("/docs/files", _Files(packages=[("fastapi_swagger", "resources")]), name="docs")


class _Files(StaticFiles):
    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        # Asked about by their tags at each visit: after an upgrade nobody has half of the old page.
        response.headers["Cache-Control"] = "no-cache"
        response.headers["Content-Security-Policy"] = _POLICY
        return response


def _html(text: str, policy: str) -> Response:
    return HTMLResponse(text, headers={"Content-Security-Policy": policy, "Cache-Control": "no-cache"})
