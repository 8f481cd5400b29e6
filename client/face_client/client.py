"""FaceClient: pictures in, faces out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, overload

from face_client.balanced import balanced
from face_client.batches import BatchAnswer, OnError, answers_in_order
from face_client.endpoints import addresses
from face_client.errors import FaceError, ServerUnavailable
from face_client.faces import Faces
from face_client.frame_stream import FrameStream
from face_client.messages import ImageLike, MakeRequest, Request, Response, detection_request, faces_from, prepare
from face_client.options import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_S,
    DEFAULT_TLS,
    DEFAULT_URL,
    ParameterValue,
    request_parameters,
)
from face_client.recognition import Recognition
from face_client.retry import RetryBudget, call_with_retries
from face_client.tls import Tls
from face_client.transport import GrpcTransport, Transport

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from face_client.options import DetectOptions

READY_TIMEOUT_S = 5.0
PROBE_INTERVAL_S = 0.2


class FaceClient(Recognition, FrameStream):
    """Finds and recognises faces on a Triton server. One client serves any number of threads; close it, or use `with`.

    url: "host:port" of the server's gRPC endpoint; or several, with commas between or as a list. Requests are spread
        over them, and go to the others when one is gone.
    model: the name of the detector on the server.
    recognizer, embedder: those of the models that `recognize` and `embed` ask.
    timeout: seconds for one image, retries included.
    retries: further attempts when the server cannot take a request (its queue is full, it restarts).
    retry_budget: how many of these a full queue may cause; may be shared by clients. See `RetryBudget`.
    tls: encrypt the connection; `Tls()` trusts the system's certificates. None: do not, whatever the environment says.
    transport: carries the requests instead of gRPC.
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
        transport: Transport | None = None,
        retry_budget: RetryBudget | None = None,
    ) -> None:
        endpoints = addresses(url)
        self.url = ",".join(endpoints)
        self.model = model
        self.recognizer = recognizer
        self.embedder = embedder
        self.timeout = timeout
        self.retries = retries
        self._transport: Transport = (
            balanced([GrpcTransport(endpoint, tls) for endpoint in endpoints]) if transport is None else transport
        )
        self._retry_budget = retry_budget or RetryBudget()
        self._closed = threading.Event()

    def detect(
        self,
        image: ImageLike,
        *,
        crops: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Faces:
        """The faces in one image, in its own coordinates.

        image: a path, the bytes of a file, a Pillow image, or a uint8 array, [H, W, 3] RGB or [H, W] gray.
        crops: also return a picture of each face.
        max_side: make the image smaller before it is sent, if it is larger than this many pixels.
        options: min_face_size, threshold_pnet, threshold_rnet, threshold_onet, factor, max_faces,
            selection, image_size, margin, align; see `options.PARAMETERS`. What is not given, the server decides.

        Raises FaceError (see `face_client.errors`), OSError for a path that cannot be read.
        """
        return self._find(image, detection_request, self.model, crops, max_side, request_parameters(options))

    @overload
    def detect_batch(
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
    def detect_batch(
        self,
        images: Iterable[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: OnError,
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]: ...

    def detect_batch(
        self,
        images: Iterable[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: OnError = "raise",
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]:
        """The faces of each image, in order. Images may be of any number, kind and size, also a generator.

        in_flight: so many requests are open at a time; the server gathers them into batches.
        on_error: "raise" ends at the first image that fails, in its turn; "return" gives its FaceError or
            OSError in the place of its faces, and goes on.
        The other arguments are those of `detect`.
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

    def is_ready(self, model: str | None = None) -> bool:
        """Whether the server answers and a model takes requests: the detector if no other is named."""
        try:
            return self._transport.is_ready(model or self.model, min(self.timeout, READY_TIMEOUT_S))
        except FaceError:
            return False

    def wait_ready(self, timeout: float = 60.0, model: str | None = None) -> None:
        """Return when a model is ready, the detector if no other is named.

        Raises ServerUnavailable when it is not after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self.is_ready(model):
            if time.monotonic() >= deadline or self._closed.wait(PROBE_INTERVAL_S):
                raise ServerUnavailable(
                    f"model {model or self.model!r} at {self.url} was not ready within {timeout:g} s"
                )

    def close(self) -> None:
        """End the connection; calls that are open are given up."""
        self._closed.set()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _find(
        self,
        image: ImageLike,
        make: MakeRequest,
        model: str,
        crops: bool,
        max_side: int | None,
        parameters: dict[str, ParameterValue],
    ) -> Faces:
        prepared = prepare(image, max_side)
        request = make(model, prepared, parameters, crops)
        return faces_from(request, self._ask(request), prepared)

    def _ask(self, request: Request) -> Response:
        infer = partial(self._transport.infer, request)
        try:
            return call_with_retries(infer, self.timeout, self.retries, self._closed.wait, self._retry_budget)
        except FaceError as error:
            error.request_id = request.id
            raise
