"""What may be asked beside the pictures: the request parameters of detection, and those of each path, as models.

The names are the same in the query, in a form and in JSON. What is not given, the server decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from starlette.requests import Request

from face_client.errors import InvalidInput
from face_client.options import PARAMETERS, SELECTIONS, DetectOptions, Parameter
from face_client.similarity import SAME_DISTANCE
from face_gallery.records import DEFAULT_COLLECTION
from face_gallery.register import DEFAULT_TOP
from face_gateway.answers import FORMATS
from face_gateway.bodies import JSON_FIELD, MOST_FIELDS, PICTURE_FIELD
from face_tools.blur.covering import GROW, METHODS, SHAPES


def _field(parameter: Parameter, name: str) -> tuple[Any, Any]:
    kind: Any = Literal[SELECTIONS] if name == "selection" else parameter.type
    return (
        # Not `kind | None`: null is no value of a parameter.
        kind,
        Field(
            default=None,
            ge=parameter.low,
            le=parameter.high,
            allow_inf_nan=None if parameter.type is not float else False,
            description=parameter.help,
        ),
    )


class Parameters(BaseModel):
    """The parameters of a path; others are refused by name."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @property
    def options(self) -> DetectOptions:
        """Those of detection that were given."""
        given = {name: getattr(self, name) for name in PARAMETERS if name in self.model_fields_set}
        return DetectOptions(**given)  # type: ignore[typeddict-item]


def _detection(name: str, without: Sequence[str] = ()) -> type[Parameters]:
    fields = {each: _field(parameter, each) for each, parameter in PARAMETERS.items() if each not in without}
    model: type[Parameters] = create_model(name, __base__=Parameters, **fields)  # type: ignore[call-overload]
    return model


# Crops are not among the answers of these.
_OF_CROPS = ("image_size",)

Detect = _detection("Detect", without=("image_size", "margin", "align"))
Recognize = _detection("Recognize", without=_OF_CROPS)
Cut = _detection("Cut")


def _parsed(value: object) -> object:
    """JSON where it comes as text: of a query or a form."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("it must be JSON") from None


def _listed(value: object) -> object:
    """Names with commas between, or a JSON array of them."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [name.strip() for name in value.split(",")]
    return _parsed(value)


Json = Annotated[dict[str, Any], BeforeValidator(_parsed)]
Names = Annotated[list[str], BeforeValidator(_listed)]


class Compare(Recognize):  # type: ignore[misc, valid-type]
    threshold: float = Field(SAME_DISTANCE, gt=0, le=2, description="distance below which two faces are one person's")


class Crop(Cut):  # type: ignore[misc, valid-type]
    format: Literal[FORMATS] = Field("png", description="of the crops")  # type: ignore[valid-type]


class Blur(Detect):  # type: ignore[misc, valid-type]
    method: Literal[METHODS] = Field("blur", description="how faces are covered")  # type: ignore[valid-type]
    shape: Literal[SHAPES] = Field("ellipse", description="what is covered of them")  # type: ignore[valid-type]
    grow: float = Field(GROW, ge=0, le=10, description="share of a box's sides that is added on each side")
    format: Literal[FORMATS] | None = Field(  # type: ignore[valid-type]
        None, description="of the picture; without it the one that `Accept` names, or else jpg"
    )


class Identify(Recognize):  # type: ignore[misc, valid-type]
    top: int = Field(DEFAULT_TOP, ge=1, le=100, description="so many candidates a face")
    threshold: float | None = Field(
        None, gt=0, le=2, description="distance below which a face is a person's; without it the gallery's own"
    )
    collections: Names | None = Field(None, description="only people of these, a JSON array or with commas; all")
    where: Json | None = Field(None, description="only people with these values in their metadata, a JSON object")


class Enrol(Recognize):  # type: ignore[misc, valid-type]
    person: str = Field(description="whose faces these are", min_length=1, max_length=200)
    collection: str = Field(DEFAULT_COLLECTION, description="of which people", min_length=1, max_length=200)
    metadata: Json | None = Field(None, description="what is known of the person, a JSON object")
    force: bool = Field(False, description="enrol also what is not good enough, or looks like somebody else")


class People(Parameters):
    collection: str | None = Field(None, description="only people of this one", min_length=1, max_length=200)
    limit: int = Field(1000, ge=1, le=10_000, description="so many at most")


class Forget(Parameters):
    collection: str = Field(DEFAULT_COLLECTION, description="of which people", min_length=1, max_length=200)


Model = TypeVar("Model", bound=Parameters)


def read_parameters(model: type[Model], request: Request, fields: Mapping[str, Any]) -> Model:
    """Of the query and of the body. Raises InvalidInput: what is wrong with which, in one sentence."""
    query = request.query_params
    if len(query.multi_items()) > MOST_FIELDS:
        raise InvalidInput(f"the query has more than {MOST_FIELDS} parameters")
    twice = [name for name in query if len(query.getlist(name)) > 1 or name in fields]
    if twice:
        raise InvalidInput(f"the parameter {twice[0][:80]!r} is there twice")
    try:
        return model.model_validate({**query, **fields})
    except ValidationError as error:
        raise InvalidInput(_sentence(error, model)) from None


def _sentence(error: ValidationError, model: type[Parameters]) -> str:
    """Of the first thing that is wrong."""
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])[:80] if first["loc"] else "the name of a parameter"
    if first["type"] == "extra_forbidden":
        if name in (PICTURE_FIELD, JSON_FIELD):
            return f"{name!r} is no file: send {PICTURE_FIELD}=@photo.jpg in a form, {JSON_FIELD}: [base64, …] in JSON"
        return f"parameter {name!r} is unknown, known are {', '.join(model.model_fields)}"
    if first["type"] == "missing":
        return f"{name} is missing: {model.model_fields[name].description}"
    reason = first["msg"].removeprefix("Value error, ").replace("Input should", "it must")
    return f"{name} is {str(first['input'])[:80]!r}: {reason}"


def described() -> dict[str, dict[str, Any]]:
    """The parameters of detection for whoever builds a form of them, as JSON."""
    names = {float: "number", int: "integer", bool: "boolean", str: "string"}
    return {
        name: {
            "type": names[parameter.type],
            "default": parameter.default,
            "help": parameter.text,
            **({"minimum": parameter.low, "maximum": parameter.high} if parameter.high is not None else {}),
            **({"choices": list(SELECTIONS)} if name == "selection" else {}),
        }
        for name, parameter in PARAMETERS.items()
    }
