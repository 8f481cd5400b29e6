"""AsyncFaceClient: pictures in, faces out, for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, overload

from face_client.aio.balanced import balanced
from face_client.aio.batches import answers_in_order
from face_client.aio.frame_stream import AsyncFrameStream
from face_client.aio.recognition import AsyncRecognition
from face_client.aio.transport import AsyncGrpcTransport, AsyncTransport
from face_client.client import PROBE_INTERVAL_S, READY_TIMEOUT_S
from face_client.endpoints import addresses
from face_client.errors import FaceError, ServerUnavailable
from face_client.messages import MakeRequest, detection_request, faces_from, prepare
from face_client.options import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_S,
    DEFAULT_TLS,
    DEFAULT_URL,
    request_parameters,
)
from face_client.retry import Attempts, RetryBudget

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from face_client.aio.ordered import Items
    from face_client.batches import BatchAnswer, OnError
    from face_client.faces import Faces
    from face_client.messages import ImageLike, Request, Response
    from face_client.options import DetectOptions, ParameterValue
    from face_client.tls import Tls


class AsyncFaceClient(AsyncRecognition, AsyncFrameStream):
    """Finds and recognises faces on a Triton server. One client serves any number of tasks of one event loop.

    Arguments, answers and errors are those of `FaceClient`. Files are read, and pictures decoded or shrunk where that
    is needed, in asyncio's threads; the event loop goes on. A task that is cancelled cancels its request.
    """

    def __init__(
        self,
        url: str | Sequence[str] = DEFAULT_URL,
        *,
        model: str = "mtcnn",
        recognizer: str = "face_recognition",
        embedder: str = "facenet",
        timeout: float = DEFAULT_TIMEOUT_S,
        retries: int = DEFAULT_RETRIES,
        tls: Tls | None = DEFAULT_TLS,
        transport: AsyncTransport | None = None,
        retry_budget: RetryBudget | None = None,
    ) -> None:
        endpoints = addresses(url)
        self.url = ",".join(endpoints)
        self.model = model
        self.recognizer = recognizer
        self.embedder = embedder
        self.timeout = timeout
        self.retries = retries
        self._transport: AsyncTransport = (
            balanced([AsyncGrpcTransport(endpoint, tls) for endpoint in endpoints]) if transport is None else transport
        )
        self._retry_budget = retry_budget or RetryBudget()

    async def detect(
        self,
        image: ImageLike,
        *,
        crops: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Faces:
        """The faces in one image, in its own coordinates; see `FaceClient.detect`."""
        return await self._find(image, detection_request, self.model, crops, max_side, request_parameters(options))

    @overload
    def detect_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[Faces]: ...

    @overload
    def detect_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: OnError,
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[BatchAnswer]: ...

    def detect_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: OnError = "raise",
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[BatchAnswer]:
        """The faces of each image, in order; see `FaceClient.detect_batch`.

        images: also an async iterable. A plain one is read on the event loop: what takes long to give its items,
            such as a camera, belongs into an async one.
        An answer is given out as soon as it is there, also while the next image is waited for.
        """
        find = partial(
            self._find,
            make=detection_request,
            model=self.model,
            crops=crops,
            max_side=max_side,
            parameters=request_parameters(options),
        )
        return answers_in_order(find, images, in_flight, on_error)

    async def is_ready(self, model: str | None = None) -> bool:
        """Whether the server answers and a model takes requests: the detector if no other is named."""
        try:
            return await self._transport.is_ready(model or self.model, min(self.timeout, READY_TIMEOUT_S))
        except FaceError:
            return False

    async def wait_ready(self, timeout: float = 60.0, model: str | None = None) -> None:
        """Return when a model is ready, the detector if no other is named.

        Raises ServerUnavailable when it is not after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not await self.is_ready(model):
            if time.monotonic() >= deadline:
                raise ServerUnavailable(
                    f"model {model or self.model!r} at {self.url} was not ready within {timeout:g} s"
                )
            await asyncio.sleep(PROBE_INTERVAL_S)

    async def close(self) -> None:
        """End the connection; calls that are open are given up."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def _find(
        self,
        image: ImageLike,
        make: MakeRequest,
        model: str,
        crops: bool,
        max_side: int | None,
        parameters: dict[str, ParameterValue],
    ) -> Faces:
        prepared = await asyncio.to_thread(prepare, image, max_side)
        request = make(model, prepared, parameters, crops)
        return faces_from(request, await self._ask(request), prepared)

    async def _ask(self, request: Request) -> Response:
        try:
            return await self._ask_with_retries(request)
        except FaceError as error:
            error.request_id = request.id
            raise

    async def _ask_with_retries(self, request: Request) -> Response:
        """`face_client.retry.call_with_retries`, the waiting left to asyncio."""
        attempts = Attempts(self.timeout, self.retries, self._retry_budget)
        while True:
            left = attempts.left()
            try:
                return await self._transport.infer(request, left)
            except ServerUnavailable as error:
                delay = attempts.delay(error)
                if delay is None:
                    raise
            await asyncio.sleep(delay)
