"""The embedded Triton server: NVIDIA's real tritonserver from a Python package, no container needed.

    from face_server import EmbeddedTriton

    with EmbeddedTriton(repository) as triton:
        print(triton.grpc_url)

The launcher is imported when its names are first used: NVIDIA's container runs `face_server.healthcheck` alone, without
psutil.
"""

from typing import TYPE_CHECKING

from face_server.errors import ServerError, SetupError, StartError
from face_server.settings import Settings

if TYPE_CHECKING:
    from face_server.launcher import EmbeddedTriton

__all__ = ["EmbeddedTriton", "ServerError", "Settings", "SetupError", "StartError"]


def __getattr__(name: str) -> object:
    if name != "EmbeddedTriton":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from face_server.launcher import EmbeddedTriton

    return EmbeddedTriton
