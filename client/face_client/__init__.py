"""Faces in pictures, found by MTCNN and recognised by FaceNet on a Triton server.

    from face_client import FaceClient

    with FaceClient("127.0.0.1:8001") as client:
        for face in client.detect("photo.jpg"):
            print(face.box, face.probability, face.landmarks.left_eye)

AsyncFaceClient is its twin for asyncio. Names are imported when first used: a command that only prints its help
waits for neither gRPC nor NumPy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from face_client._async.client import AsyncFaceClient as AsyncFaceClient
    from face_client._async.transport import AsyncTransport as AsyncTransport
    from face_client._sync.client import FaceClient as FaceClient
    from face_client._sync.transport import Transport as Transport
    from face_client.errors import Cancelled as Cancelled
    from face_client.errors import DeadlineExceeded as DeadlineExceeded
    from face_client.errors import FaceError as FaceError
    from face_client.errors import InvalidImage as InvalidImage
    from face_client.errors import InvalidInput as InvalidInput
    from face_client.errors import ModelNotLoaded as ModelNotLoaded
    from face_client.errors import NoFace as NoFace
    from face_client.errors import ServerError as ServerError
    from face_client.errors import ServerOverloaded as ServerOverloaded
    from face_client.errors import ServerUnavailable as ServerUnavailable
    from face_client.errors import TooManyPixels as TooManyPixels
    from face_client.errors import UnfitWeights as UnfitWeights
    from face_client.errors import VideoError as VideoError
    from face_client.faces import Face as Face
    from face_client.faces import Faces as Faces
    from face_client.faces import Landmarks as Landmarks
    from face_client.options import DetectOptions as DetectOptions
    from face_client.retry import RetryBudget as RetryBudget
    from face_client.similarity import Comparison as Comparison
    from face_client.tls import Tls as Tls
    from face_client.weights import Weights as Weights
    from face_pictures.decoding import decode_image as decode_image

_HOMES = {
    "face_client._async.client": ("AsyncFaceClient",),
    "face_client._async.transport": ("AsyncTransport",),
    "face_client._sync.client": ("FaceClient",),
    "face_client._sync.transport": ("Transport",),
    "face_client.errors": (
        "Cancelled",
        "DeadlineExceeded",
        "FaceError",
        "InvalidImage",
        "InvalidInput",
        "ModelNotLoaded",
        "NoFace",
        "ServerError",
        "ServerOverloaded",
        "ServerUnavailable",
        "TooManyPixels",
        "UnfitWeights",
        "VideoError",
    ),
    "face_client.faces": ("Face", "Faces", "Landmarks"),
    "face_client.options": ("DetectOptions",),
    "face_client.retry": ("RetryBudget",),
    "face_client.similarity": ("Comparison",),
    "face_client.tls": ("Tls",),
    "face_client.weights": ("Weights",),
    "face_pictures.decoding": ("decode_image",),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
