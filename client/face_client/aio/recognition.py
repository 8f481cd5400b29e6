"""What AsyncFaceClient offers beyond detection; see `face_client.recognition`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from face_client.aio.batches import answers_in_order
from face_client.aio.ordered import map_in_order
from face_client.messages import (
    EMBEDDING_SIZE,
    EMBEDDINGS,
    LOGITS,
    Crops,
    crop_requests,
    joined,
    joined_logits,
    recognition_request,
    rows_from,
)
from face_client.options import DEFAULT_IN_FLIGHT, of_one_face, request_parameters
from face_client.similarity import SAME_DISTANCE, Comparison, compare_faces
from face_tools.clustering import Clusters, cluster_faces

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client.aio.ordered import Items
    from face_client.batches import BatchAnswer, OnError
    from face_client.faces import Faces
    from face_client.messages import ImageLike, MakeRequest, Request, Response
    from face_client.options import DetectOptions, ParameterValue


class AsyncRecognition(ABC):
    """The part of a client that needs FaceNet on the server; without it all of it raises ServerUnavailable."""

    recognizer: str
    embedder: str

    async def recognize(
        self,
        image: ImageLike,
        *,
        crops: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Faces:
        """The faces in one image with `Faces.embeddings` [N, 512]; see `FaceClient.recognize`."""
        return await self._find(
            image, recognition_request, self.recognizer, crops, max_side, request_parameters(options)
        )

    @overload
    def recognize_batch(
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
    def recognize_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: OnError,
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[BatchAnswer]: ...

    def recognize_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: OnError = "raise",
        **options: Unpack[DetectOptions],
    ) -> AsyncIterator[BatchAnswer]:
        """`recognize` for each image, in order; arguments and errors are those of `detect_batch`."""
        find = partial(
            self._find,
            make=recognition_request,
            model=self.recognizer,
            crops=crops,
            max_side=max_side,
            parameters=request_parameters(options),
        )
        return answers_in_order(find, images, in_flight, on_error)

    async def embed(self, crops: Crops) -> NDArray[np.float32]:
        """FaceNet's embeddings of face crops, float32 [N, 512]; see `FaceClient.embed`."""
        return joined(await self._rows(crops, EMBEDDINGS), EMBEDDING_SIZE)

    async def classify(self, crops: Crops) -> NDArray[np.float32]:
        """FaceNet's logits for face crops, float32 [N, K]; see `FaceClient.classify`."""
        return joined_logits(await self._rows(crops, LOGITS), self.embedder)

    async def compare(
        self,
        a: ImageLike,
        b: ImageLike,
        *,
        threshold: float = SAME_DISTANCE,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Comparison:
        """Whether the largest face of one image and that of another are one person's; see `FaceClient.compare`."""
        answers = self.recognize_batch([a, b], max_side=max_side, in_flight=2, **of_one_face(options))
        first, second = [faces async for faces in answers]
        return compare_faces(first, second, threshold)

    async def cluster(
        self,
        images: Items[ImageLike],
        *,
        distance: float = SAME_DISTANCE,
        min_faces: int = 2,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Clusters:
        """Which faces of the images are one person's; see `FaceClient.cluster`. Computed in a thread."""
        answers = self.recognize_batch(images, crops=crops, max_side=max_side, in_flight=in_flight, **options)
        return await asyncio.to_thread(cluster_faces, [faces async for faces in answers], distance, min_faces)

    async def _rows(self, crops: Crops, output: str) -> list[NDArray[np.float32]]:
        """An output of FaceNet for each batch of crops."""
        requests = crop_requests(self.embedder, crops, output)
        return [rows async for rows in map_in_order(self._ask_for_rows, requests, DEFAULT_IN_FLIGHT)]

    async def _ask_for_rows(self, request: Request) -> NDArray[np.float32]:
        return rows_from(request, await self._ask(request))

    @abstractmethod
    async def _ask(self, request: Request) -> Response:
        """The server's answer, within the client's timeout and retries."""

    @abstractmethod
    async def _find(
        self,
        image: ImageLike,
        make: MakeRequest,
        model: str,
        crops: bool,
        max_side: int | None,
        parameters: dict[str, ParameterValue],
    ) -> Faces:
        """Prepares an image, asks a model by the request that `make` makes, and reads the answer."""
