"""FaceClient: pictures in, faces out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, Union, overload

from face_client.answers import detection_request, faces_from
from face_client.defaults import DEFAULT_IN_FLIGHT, DEFAULT_RETRIES, DEFAULT_TIMEOUT_S, DEFAULT_URL
from face_client.errors import FaceError, InvalidInput, ServerUnavailable
from face_client.faces import Faces
from face_client.inputs import ImageLike, prepare
from face_client.options import ParameterValue, request_parameters
from face_client.ordered import map_in_order
from face_client.retry import call_with_retries
from face_client.transport import GrpcTransport, Tls, Transport

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from face_client.options import DetectOptions

_PROBE_TIMEOUT_S = 5.0
_PROBE_INTERVAL_S = 0.2

BatchAnswer = Union[Faces, FaceError, OSError]


class FaceClient:
    """Finds faces on a Triton server. One client serves any number of threads; close it, or use `with`.

    url: "host:port" of the server's gRPC endpoint.
    model: the name of the detector on the server.
    timeout: seconds for one image, retries included.
    retries: further attempts when the server cannot take a request (its queue is full, it restarts).
    tls: encrypt the connection; `Tls()` trusts the system's certificates.
    transport: carries the requests instead of gRPC.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        model: str = "mtcnn",
        timeout: float = DEFAULT_TIMEOUT_S,
        retries: int = DEFAULT_RETRIES,
        tls: Tls | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.url = url
        self.model = model
        self.timeout = timeout
        self.retries = retries
        self._transport: Transport = GrpcTransport(url, tls) if transport is None else transport
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
            selection, image_size, margin; see `options.PARAMETERS`. What is not given, the server decides.

        Raises FaceError (see `face_client.errors`), OSError for a path that cannot be read.
        """
        return self._detect(image, crops, max_side, request_parameters(options))

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
        on_error: Literal["return"],
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]: ...

    def detect_batch(
        self,
        images: Iterable[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: Literal["raise", "return"] = "raise",
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]:
        """The faces of each image, in order. Images may be of any number, kind and size, also a generator.

        in_flight: so many requests are open at a time; the server gathers them into batches.
        on_error: "raise" ends at the first image that fails, in its turn; "return" gives its FaceError or
            OSError in the place of its faces, and goes on.
        The other arguments are those of `detect`.
        """
        if in_flight < 1:
            raise InvalidInput(f"in_flight is {in_flight}; it must be at least 1")
        detect = partial(self._detect, crops=crops, max_side=max_side, parameters=request_parameters(options))
        if on_error == "raise":
            return map_in_order(detect, images, in_flight)
        return map_in_order(partial(_answer_or_error, detect), images, in_flight)

    def is_ready(self) -> bool:
        """Whether the server answers and its model takes requests."""
        try:
            return self._transport.is_ready(self.model, min(self.timeout, _PROBE_TIMEOUT_S))
        except FaceError:
            return False

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Return when the model is ready. Raises ServerUnavailable when it is not after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if time.monotonic() >= deadline or self._closed.wait(_PROBE_INTERVAL_S):
                raise ServerUnavailable(f"model {self.model!r} at {self.url} was not ready within {timeout:g} s")

    def close(self) -> None:
        """End the connection; calls that are open are given up."""
        self._closed.set()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _detect(
        self, image: ImageLike, crops: bool, max_side: int | None, parameters: dict[str, ParameterValue]
    ) -> Faces:
        prepared = prepare(image, max_side)
        request = detection_request(self.model, prepared, parameters, crops)
        infer = partial(self._transport.infer, request)
        response = call_with_retries(infer, self.timeout, self.retries, self._closed.wait)
        return faces_from(request, response, prepared)


def _answer_or_error(detect: partial[Faces], image: ImageLike) -> BatchAnswer:
    try:
        return detect(image)
    except (FaceError, OSError) as error:
        return error
