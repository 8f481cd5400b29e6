"""Frames over one gRPC stream for asyncio; see `face_client.frame_stream`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Callable, Literal, overload

from face_client.aio.batches import answers_in_order
from face_client.aio.streaming import AsyncStream
from face_client.aio.transport import AsyncTransport
from face_client.batches import check_in_flight
from face_client.errors import FaceError
from face_client.faces import Faces
from face_client.messages import ImageLike, detection_request, faces_from, prepare
from face_client.options import DEFAULT_IN_FLIGHT, request_parameters
from face_client.streaming import RefusedInStream

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client.aio.ordered import Items
    from face_client.batches import BatchAnswer, OnError
    from face_client.messages import Request, Response
    from face_client.options import DetectOptions


class AsyncFrameStream(ABC):
    """Detection over a stream."""

    model: str
    timeout: float
    _transport: AsyncTransport

    @overload
    def stream(
        self,
        frames: Items[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[Faces]: ...

    @overload
    def stream(
        self,
        frames: Items[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: OnError,
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[BatchAnswer]: ...

    def stream(
        self,
        frames: Items[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: OnError = "raise",
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[BatchAnswer]:
        """`detect_batch` over one gRPC stream; see `FaceClient.stream`. frames: also an async iterable."""
        check_in_flight(in_flight)
        parameters = request_parameters(options)

        def find_over(stream: AsyncStream) -> Callable[[ImageLike], Awaitable[Faces]]:
            async def find(frame: ImageLike) -> Faces:
                prepared = await asyncio.to_thread(prepare, frame, max_side)
                request = detection_request(self.model, prepared, parameters, crops)
                return faces_from(request, await self._ask_over(stream, request), prepared)

            return find

        return self._answers(find_over, frames, in_flight, on_error)

    async def _answers(
        self,
        find_over: Callable[[AsyncStream], Callable[[ImageLike], Awaitable[Faces]]],
        frames: Items[ImageLike],
        in_flight: int,
        on_error: OnError,
    ) -> AsyncIterator[BatchAnswer]:
        stream = self._transport.open_stream()
        try:
            async for answer in answers_in_order(find_over(stream), frames, in_flight, on_error):
                if isinstance(answer, FaceError) and stream.broken is not None:
                    raise stream.broken
                yield answer
        finally:
            await stream.close()

    async def _ask_over(self, stream: AsyncStream, request: Request) -> Response:
        try:
            return await stream.infer(request, self.timeout)
        except RefusedInStream:
            return await self._ask(request)
        except FaceError as error:
            error.request_id = request.id
            raise

    @abstractmethod
    async def _ask(self, request: Request) -> Response:
        """The server's answer outside of a stream, within the client's timeout and retries."""
