"""A prepared image → a request to the model, and the model's response → Faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable

from face_client.errors import ServerError
from face_client.faces import Faces
from face_client.inputs import PreparedImage
from face_client.options import ParameterValue
from face_client.transport import Request, Response

MakeRequest = Callable[[str, PreparedImage, Mapping[str, ParameterValue], bool], Request]
"""(model, image, parameters, crops) → the request for one image."""

_DETECTION_OUTPUTS = ("boxes", "probabilities", "landmarks", "num_faces", "candidates_dropped")


def detection_request(
    model: str, prepared: PreparedImage, parameters: Mapping[str, ParameterValue], crops: bool
) -> Request:
    """The request for one image; the server cuts crops only where they are asked for by name."""
    outputs = (*_DETECTION_OUTPUTS, "faces") if crops else _DETECTION_OUTPUTS
    return Request(model, prepared.tensors, outputs, parameters)


def recognition_request(
    model: str, prepared: PreparedImage, parameters: Mapping[str, ParameterValue], crops: bool
) -> Request:
    """The request for one image, embeddings included."""
    request = detection_request(model, prepared, parameters, crops)
    return replace(request, outputs=(*request.outputs, "embeddings"))


def check_complete(request: Request, response: Response) -> None:
    """Raises ServerError if outputs are missing."""
    missing = [name for name in request.outputs if name not in response.outputs]
    if missing:
        raise ServerError(f"model {request.model!r} did not return {', '.join(missing)}")


def faces_from(request: Request, response: Response, prepared: PreparedImage) -> Faces:
    """The faces in the coordinates of the caller's image. Raises ServerError if outputs are missing."""
    check_complete(request, response)
    count = int(response.outputs["num_faces"][0, 0])
    # Copied out of the gRPC message, which is read-only.
    rows: dict[str, Any] = {name: response.outputs[name][0, :count].copy() for name in request.outputs}
    width, height = prepared.sent_size
    faces = Faces(
        boxes=rows["boxes"],
        probabilities=rows["probabilities"],
        landmarks=rows["landmarks"],
        width=width,
        height=height,
        crops=rows.get("faces"),
        candidates_dropped=int(response.outputs["candidates_dropped"][0, 0]),
        embeddings=rows.get("embeddings"),
    )
    return faces if prepared.size == prepared.sent_size else faces.resized(*prepared.size)
