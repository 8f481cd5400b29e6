"""What is answered: the documents' schemas for OpenAPI, and pictures as files.

The documents are those of the client (`Faces.to_dict`), which `faces detect --json` prints too.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, Field
from starlette.responses import Response

from face_client.errors import InvalidInput
from face_gateway.bodies import Picture as SentPicture

_TYPES = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}

FORMATS = tuple(_TYPES)
"""Of pictures that are answered with."""

DEFAULT_SUFFIX = "jpg"

# Pixels that a side may have.
_LONGEST_SIDES = {"jpg": 65_500, "webp": 16_383}
_QUALITY = 95

ZIP = "application/zip"

Point = tuple[float, float]
Box = tuple[float, float, float, float]


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None


class Landmarks(BaseModel):
    """Left and right as the viewer sees them."""

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point


class Face(BaseModel):
    """Pixels of the upright picture, origin top left."""

    box: Box = Field(description="x1, y1, x2, y2; may pass the picture's border")
    probability: float
    landmarks: Landmarks
    angle: int | None = Field(None, description="with `rotations`: degrees by which it lies turned clockwise")


class RecognizedFace(Face):
    embedding: list[float] = Field(description="512 numbers, of length 1")


class CroppedFace(Face):
    crop: str = Field(description="the face as a `data:` URL")


class CoveredFace(BaseModel):
    box: Box
    probability: float


class Candidate(BaseModel):
    person: str
    collection: str
    distance: float
    cosine: float
    metadata: dict[str, Any]


class Threshold(BaseModel):
    distance: float
    source: str
    false_match_rate: float | None = None
    interval: tuple[float, float] | None = None
    people: int | None = None


class IdentifiedFace(Face):
    person: str | None = Field(description="null: unknown")
    collection: str | None
    distance: float | None
    margin: float | None
    threshold: Threshold
    candidates: list[Candidate]


class Weights(BaseModel):
    name: str
    sha256: str
    random: bool


class _Named(BaseModel):
    image: str = Field(description="the name of its file, as it was sent")


class Failed(_Named):
    error: Problem


class Picture(_Named):
    width: int
    height: int
    candidates_dropped: int | None = Field(None, description="with `max_candidates`; over 0, faces may be missing")


class Detected(Picture):
    faces: list[Face]


class Recognized(Picture):
    faces: list[RecognizedFace]
    weights: Weights | None = Field(None, description="of FaceNet; absent where there is no face")


class Cropped(Picture):
    faces: list[CroppedFace]


class Covered(Picture):
    faces: list[CoveredFace]
    picture: str = Field(description="with the faces covered, as a `data:` URL; no metadata")


class Identified(Picture):
    faces: list[IdentifiedFace]


class DetectAnswer(BaseModel):
    images: list[Detected | Failed]


class RecognizeAnswer(BaseModel):
    images: list[Recognized | Failed]


class CropAnswer(BaseModel):
    images: list[Cropped | Failed]


class BlurAnswer(BaseModel):
    images: list[Covered | Failed]


class IdentifyAnswer(BaseModel):
    images: list[Identified | Failed]


class CompareAnswer(BaseModel):
    images: list[str]
    distance: float
    cosine: float
    same: bool
    threshold: float
    weights: Weights = Field(description="of FaceNet; random ones tell nobody apart")


class Person(BaseModel):
    person: str
    collection: str
    faces: int
    created: float = Field(description="seconds since 1970")
    metadata: dict[str, Any]


class PeopleAnswer(BaseModel):
    people: list[Person] = Field(description="by collection and name")
    more: bool = Field(description="whether there are more than `limit`")


class EnrolAnswer(BaseModel):
    person: str
    collection: str
    faces: int = Field(description="so many were enrolled")
    refused: list[Failed]


class ForgetAnswer(BaseModel):
    person: str
    collection: str
    faces: int = Field(description="so many were erased")


class Parameter(BaseModel):
    type: str
    default: float | bool | str | None
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] | None = None


class ServiceAnswer(BaseModel):
    version: str
    detection: bool = Field(description="faces are found")
    recognition: bool = Field(description="they have embeddings")
    identification: bool = Field(description="they have names")
    enrolment: bool = Field(description="people can be enrolled, listed and forgotten")
    keys: bool = Field(description="an API key is needed")
    limits: dict[str, float]
    parameters: dict[str, Parameter] = Field(description="of detection, by their names")


def encoded(pixels: NDArray[np.uint8], suffix: str) -> bytes:
    """Pixels [H, W, 3] as a file, without metadata."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, _TYPES[suffix], quality=_QUALITY)
    return file.getvalue()


def check_fits(size: tuple[int, int] | None, suffix: str) -> None:
    """Raises InvalidInput for a picture of (width, height) that the format has no place for."""
    longest = _LONGEST_SIDES.get(suffix)
    if size is not None and longest is not None and max(size) > longest:
        raise InvalidInput(
            f"{suffix} has no place for {size[0]}x{size[1]} pixels, at most {longest} along a side: ask for format png"
        )


def suffix_of(accepted: str) -> str | None:
    """The first format that a header `Accept` names."""
    named = [(accepted.lower().find(media_type(suffix)), suffix) for suffix in _TYPES]
    return min(((place, suffix) for place, suffix in named if place >= 0), default=(0, None))[1]


def media_type(suffix: str) -> str:
    return f"image/{_TYPES[suffix].lower()}"


def data_url(data: bytes, suffix: str) -> str:
    return f"data:{media_type(suffix)};base64,{base64.b64encode(data).decode()}"


def zipped(files: Iterable[tuple[str, bytes]], document: dict[str, Any]) -> Response:
    """The files, and the answer itself as answer.json."""
    archive = io.BytesIO()
    # Stored: pictures are compressed already.
    with zipfile.ZipFile(archive, "w") as zip_file:
        for name, data in files:
            zip_file.writestr(name, data)
        zip_file.writestr("answer.json", json.dumps(document))
    return Response(archive.getvalue(), media_type=ZIP)


def stem_of(picture: SentPicture) -> str:
    """What a picture's files in an archive are called: by its number too, since names may be equal."""
    stem = PurePosixPath(picture.name).stem
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in stem)
    return f"{picture.number}_{safe[:80] or 'image'}"
