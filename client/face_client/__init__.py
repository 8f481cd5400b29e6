"""Faces in pictures, found by MTCNN and recognised by FaceNet on a Triton server.

    from face_client import FaceClient

    with FaceClient("127.0.0.1:8001") as client:
        for face in client.detect("photo.jpg"):
            print(face.box, face.probability, face.landmarks.left_eye)

Names are imported when first used: the server reads pictures with `face_pictures.decoding` and needs no gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face_client.aio.client import AsyncFaceClient
    from face_client.client import FaceClient
    from face_client.errors import (
        Cancelled,
        DeadlineExceeded,
        FaceError,
        InvalidImage,
        InvalidInput,
        NoFace,
        ServerError,
        ServerOverloaded,
        ServerUnavailable,
        TooManyPixels,
        VideoError,
    )
    from face_client.faces import Face, Faces, Landmarks
    from face_client.options import DetectOptions
    from face_client.retry import RetryBudget
    from face_client.similarity import Comparison
    from face_client.tls import Tls
    from face_pictures.decoding import decode_image

_HOMES = {
    "AsyncFaceClient": "face_client.aio.client",
    "FaceClient": "face_client.client",
    "Cancelled": "face_client.errors",
    "DeadlineExceeded": "face_client.errors",
    "FaceError": "face_client.errors",
    "InvalidImage": "face_client.errors",
    "InvalidInput": "face_client.errors",
    "NoFace": "face_client.errors",
    "RetryBudget": "face_client.retry",
    "ServerError": "face_client.errors",
    "ServerOverloaded": "face_client.errors",
    "ServerUnavailable": "face_client.errors",
    "TooManyPixels": "face_client.errors",
    "VideoError": "face_client.errors",
    "Face": "face_client.faces",
    "Faces": "face_client.faces",
    "Landmarks": "face_client.faces",
    "DetectOptions": "face_client.options",
    "Comparison": "face_client.similarity",
    "Tls": "face_client.tls",
    "decode_image": "face_pictures.decoding",
}

__all__ = [
    "AsyncFaceClient",
    "Cancelled",
    "Comparison",
    "DeadlineExceeded",
    "DetectOptions",
    "Face",
    "FaceClient",
    "FaceError",
    "Faces",
    "InvalidImage",
    "InvalidInput",
    "Landmarks",
    "NoFace",
    "RetryBudget",
    "ServerError",
    "ServerOverloaded",
    "ServerUnavailable",
    "Tls",
    "TooManyPixels",
    "VideoError",
    "decode_image",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
