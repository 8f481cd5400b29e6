"""The client for asyncio: what `FaceClient` does, without a thread a request.

    async with AsyncFaceClient("127.0.0.1:8001") as client:
        faces = await client.detect("photo.jpg")
        async for faces in client.detect_batch(paths):
            ...

Cancelling a task cancels its request on the server too.
"""

from face_client.aio.client import AsyncFaceClient
from face_client.aio.transport import AsyncGrpcTransport, AsyncTransport

__all__ = ["AsyncFaceClient", "AsyncGrpcTransport", "AsyncTransport"]
