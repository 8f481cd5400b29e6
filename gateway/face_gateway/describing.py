"""How paths are described in OpenAPI: their parameters in the query, in forms and in JSON, from one model."""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel

from face_gateway import answers, problems
from face_gateway.bodies import JSON_FIELD, PICTURE_FIELD
from face_gateway.parameters import Parameters

_PROBLEM = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}

# Any path that takes a body may answer with each of them.
_STATUSES = sorted({kind.status for kind in problems.KINDS.values()} - {405})
_MAY_RETRY = {kind.status for kind in problems.KINDS.values() if kind.may_retry}

OPEN: dict[str, Any] = {"security": []}
"""Of paths that need no key."""

_REQUEST_ID = {
    "X-Request-ID": {"schema": {"type": "string"}, "description": "the request's own, or a new one", "required": True}
}
_RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds", "required": True}}

# Whatever its gate says of so small a picture.
_EXAMPLE_OF_ENROLMENT = {"person": "Ada", "force": True}


def described(
    model: type[Parameters],
    answer: type[BaseModel],
    summary: str,
    *,
    pictures: int | None = None,
    other_types: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Keyword arguments of a path's decorator.

    pictures: so many must be sent; None: one or more. other_types: that it answers with at request, beside JSON.
    """
    properties = model.model_json_schema()["properties"]
    others = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in other_types}
    extra: dict[str, Any] = {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": False,
                "description": schema.get("description", ""),
                "schema": _of_text(schema),
            }
            for name, schema in properties.items()
        ]
    }
    if pictures != 0:
        extra["requestBody"] = _body(properties, 1 if pictures is None else pictures)
    return {
        "summary": summary,
        "openapi_extra": extra,
        "responses": {
            200: {"model": answer, "headers": _REQUEST_ID, **({"content": others} if others else {})},
            **{status: _problem(status) for status in _STATUSES},
        },
    }


def _problem(status: int) -> dict[str, Any]:
    headers = {**_REQUEST_ID, **(_RETRY_AFTER if status in _MAY_RETRY else {})}
    return {"description": "Problem", "content": _PROBLEM, "headers": headers}


def _body(properties: dict[str, Any], pictures: int) -> dict[str, Any]:
    fields = {name: _of_text(schema) for name, schema in properties.items()}
    file = {"type": "string", "format": "binary"}
    text = {"type": "string", "format": "byte"}
    example = {JSON_FIELD: [_example()] * pictures, **(_EXAMPLE_OF_ENROLMENT if "person" in properties else {})}
    content: dict[str, Any] = {
        "multipart/form-data": {
            "schema": _object(
                {PICTURE_FIELD: {"type": "array", "items": file, "minItems": pictures}, **fields}, PICTURE_FIELD
            )
        },
        "application/json": {
            "schema": _object(
                {JSON_FIELD: {"type": "array", "items": text, "minItems": pictures}, **properties}, JSON_FIELD
            ),
            "example": example,
        },
    }
    if pictures == 1:
        content["image/*"] = {"schema": file}
        content["application/octet-stream"] = {"schema": file}
    return {"required": True, "content": content}


def _object(properties: dict[str, Any], required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [required], "additionalProperties": False}


def _of_text(schema: dict[str, Any]) -> dict[str, Any]:
    """As the query and forms have it: what is an object or a list in JSON, is JSON in a text."""
    kinds = {schema.get("type"), *(each.get("type") for each in schema.get("anyOf", ()))}
    if kinds & {"object", "array"}:
        return {"type": "string"}
    if "anyOf" in schema:
        # null cannot be said there.
        return next(each for each in schema["anyOf"] if each.get("type") != "null")
    return {name: value for name, value in schema.items() if name not in ("title", "description")}


@cache
def _example() -> str:
    """A picture with a face, small enough for a page."""
    return base64.b64encode((files("face_gateway") / "static" / "example.jpg").read_bytes()).decode()


def components() -> dict[str, Any]:
    """Schemas that paths refer to by name."""
    return {"Problem": answers.Problem.model_json_schema()}
