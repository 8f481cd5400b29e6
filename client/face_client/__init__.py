"""Faces in pictures, found by MTCNN and recognised by FaceNet on a Triton server.

    from face_client import FaceClient

    with FaceClient("127.0.0.1:8001") as client:
        for face in client.detect("photo.jpg"):
            print(face.box, face.probability, face.landmarks.left_eye)

Names are imported when first used: the server reads pictures with `face_client.images` and needs no gRPC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face_client.aio.client import AsyncFaceClient
    from face_client.budget import RetryBudget
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
    from face_client.images import decode_image
    from face_client.options import DetectOptions
    from face_client.similarity import Comparison
    from face_client.tls import Tls

_HOMES = {
    "AsyncFaceClient": "aio.client",
    "FaceClient": "client",
    "Cancelled": "errors",
    "DeadlineExceeded": "errors",
    "FaceError": "errors",
    "InvalidImage": "errors",
    "InvalidInput": "errors",
    "NoFace": "errors",
    "RetryBudget": "budget",
    "ServerError": "errors",
    "ServerOverloaded": "errors",
    "ServerUnavailable": "errors",
    "TooManyPixels": "errors",
    "VideoError": "errors",
    "Face": "faces",
    "Faces": "faces",
    "Landmarks": "faces",
    "decode_image": "images",
    "DetectOptions": "options",
    "Comparison": "similarity",
    "Tls": "tls",
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
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
