"""The embedded Triton server: NVIDIA's real tritonserver from a Python package, no container needed.

from face_server import EmbeddedTriton

with EmbeddedTriton(repository) as triton:
    print(triton.grpc_url)
"""

from face_server.errors import ServerError, SetupError, StartError
from face_server.launcher import EmbeddedTriton, Settings

__all__ = ["EmbeddedTriton", "ServerError", "Settings", "SetupError", "StartError"]
