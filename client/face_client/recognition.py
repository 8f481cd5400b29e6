"""What FaceClient offers beyond detection: embeddings of faces, and whether two are one person's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from face_client.batches import BatchAnswer, OnError, answers_in_order
from face_client.faces import Faces
from face_client.messages import (
    EMBEDDING_SIZE,
    EMBEDDINGS,
    LOGITS,
    Crops,
    ImageLike,
    Request,
    Response,
    crop_requests,
    joined,
    joined_logits,
    recognition_request,
    rows_from,
)
from face_client.options import DEFAULT_IN_FLIGHT, ParameterValue, of_one_face, request_parameters
from face_client.ordered import map_in_order
from face_client.similarity import SAME_DISTANCE, Comparison, compare_faces
from face_tools.clustering import Clusters, cluster_faces

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client.messages import MakeRequest
    from face_client.options import DetectOptions


class Recognition(ABC):
    """The part of a client that needs FaceNet on the server.

    Where the server has none, all of it raises ServerUnavailable with a sentence that says so.
    """

    recognizer: str
    embedder: str

    def recognize(
        self,
        image: ImageLike,
        *,
        crops: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Faces:
        """The faces in one image, as `detect` gives them, with `Faces.embeddings` [N, 512].

        Arguments and errors are those of `detect`. FaceNet sees each face as `margin` and `align` say, in 160x160
        pixels; `image_size` is that of the crops that come back.
        """
        return self._find(image, recognition_request, self.recognizer, crops, max_side, request_parameters(options))

    @overload
    def recognize_batch(
        self,
        images: Iterable[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[DetectOptions],
    ) -> Iterator[Faces]: ...

    @overload
    def recognize_batch(
        self,
        images: Iterable[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: OnError,
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]: ...

    def recognize_batch(
        self,
        images: Iterable[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: OnError = "raise",
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]:
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

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """FaceNet's embeddings of face crops, rows of length 1: float32 [N, 512].

        crops: RGB pixels, uint8 [N, 160, 160, 3] or a sequence of [160, 160, 3]; any number, also none.
        Raises FaceError (see `face_client.errors`).
        """
        return joined(self._rows(crops, EMBEDDINGS), EMBEDDING_SIZE)

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        """FaceNet's logits for face crops, one column a person it was trained on: float32 [N, K].

        K is 8,631 with the weights of VGGFace2 and 10,575 with those of CASIA-WebFace. crops: as for `embed`; of none,
        K is 0. Raises ServerUnavailable where the server's weights have no classifier.
        """
        return joined_logits(self._rows(crops, LOGITS), self.embedder)

    def compare(
        self,
        a: ImageLike,
        b: ImageLike,
        *,
        threshold: float = SAME_DISTANCE,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Comparison:
        """Whether the largest face of one image and that of another are one person's.

        threshold: Euclidean distance below which they are; see `similarity.SAME_DISTANCE` for where it comes from.
        options: as for `detect`; another `selection` takes another face of each.
        Raises NoFace where an image shows none, and whatever `recognize` raises.
        """
        first, second = self.recognize_batch([a, b], max_side=max_side, in_flight=2, **of_one_face(options))
        return compare_faces(first, second, threshold)

    def cluster(
        self,
        images: Iterable[ImageLike],
        *,
        distance: float = SAME_DISTANCE,
        min_faces: int = 2,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Clusters:
        """Which faces of the images are one person's: `recognize_batch`, and `clustering.cluster` of its embeddings.

        distance, min_faces: see there. The other arguments and the errors are those of `recognize_batch`.
        """
        answers = self.recognize_batch(images, crops=crops, max_side=max_side, in_flight=in_flight, **options)
        return cluster_faces(answers, distance, min_faces)

    def _rows(self, crops: Crops, output: str) -> list[NDArray[np.float32]]:
        """An output of FaceNet for each batch of crops."""
        return list(map_in_order(self._ask_for_rows, crop_requests(self.embedder, crops, output), DEFAULT_IN_FLIGHT))

    def _ask_for_rows(self, request: Request) -> NDArray[np.float32]:
        return rows_from(request, self._ask(request))

    @abstractmethod
    def _ask(self, request: Request) -> Response:
        """The server's answer, within the client's timeout and retries."""

    @abstractmethod
    def _find(
        self,
        image: ImageLike,
        make: MakeRequest,
        model: str,
        crops: bool,
        max_side: int | None,
        parameters: dict[str, ParameterValue],
    ) -> Faces:
        """Prepares an image, asks a model by the request that `make` makes, and reads the answer."""
