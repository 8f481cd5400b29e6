"""The gateway: a page and a REST API over the asyncio client.

    from face_client import AsyncFaceClient
    from face_gateway import Settings, make_app

    app = make_app(Settings(), AsyncFaceClient())        # an ASGI application

`faces page` serves it; whoever mounts it elsewhere keeps `protocol.Protocol` and its limits in mind.
"""

from face_gateway.app import make_app as make_app
from face_gateway.settings import Limits as Limits
from face_gateway.settings import Settings as Settings

__all__ = ["Limits", "Settings", "make_app"]
