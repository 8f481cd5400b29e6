"""What is sent: pictures of several sizes as raw pixels and as files, and some requests that must be refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from face_bench.errors import BenchError
from face_bench.load import faces_alone
from face_bench.pictures import Picture, photos, wall
from face_bench.wire import MODEL, OUTPUTS, WireRequest, serialised
from face_load.bad_requests import bad_messages
from face_load.errors import LoadError

RECOGNITION = "face_recognition"

RAW = "raw"
JPEG = "jpeg"
FORMATS = (RAW, JPEG)

_OUTPUTS = {MODEL: OUTPUTS, RECOGNITION: (*OUTPUTS, "embeddings")}
_PORTRAIT = Path(__file__).parents[2] / "tests" / "data" / "astronaut.png"


@dataclass(frozen=True)
class LoadRequest:
    """expected: faces in the answer when nothing else runs; None for a request that must be refused."""

    wire: WireRequest
    expected: int | None


@dataclass(frozen=True)
class Traffic:
    """Good and bad requests to one model."""

    good: Sequence[LoadRequest]
    bad: Sequence[LoadRequest]


def pictures(sizes: Iterable[tuple[int, int]], folder: Path | None) -> list[Picture]:
    """The photos of a folder, or else the wall in these sizes, (width, height). Raises LoadError."""
    if folder is None:
        portrait = Image.open(_PORTRAIT).convert("RGB")
        return [Picture.of_pixels(f"{w}x{h}", wall(portrait, w, h)) for w, h in sizes]
    try:
        return photos(folder)
    except BenchError as error:
        raise LoadError(str(error)) from error


def traffic(url: str, model: str, pictures: Sequence[Picture], formats: Sequence[str]) -> Traffic:
    """Requests to a model; the server is asked each good one once, to know its answer. Raises LoadError."""
    wire = [
        WireRequest(f"{model} {name} {picture.name}", serialised(image, model, _OUTPUTS[model]))
        for picture in pictures
        for name, image in ((RAW, picture.pixels), (JPEG, picture.jpeg))
        if name in formats
    ]
    try:
        faces = faces_alone(url, wire)
    except BenchError as error:
        raise LoadError(f"{url}, {model}: {error}") from error
    bad = [WireRequest(f"{model} bad: {name}", message) for name, message in bad_messages(model, _OUTPUTS[model])]
    return Traffic(
        [LoadRequest(request, count) for request, count in zip(wire, faces, strict=True)],
        [LoadRequest(request, None) for request in bad],
    )
