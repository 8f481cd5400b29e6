# Written by client/unasync.py from face_client/_async: change it there.

"""FaceClient: pictures in, faces out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from face_client._sync.balanced import BalancedTransport
from face_client._sync.transport import GrpcTransport, Transport
from face_client._threads import Closing, Items, in_thread, map_in_order
from face_client.endpoints import DNS, addresses
from face_client.errors import Cancelled, FaceError, InvalidInput, ModelNotLoaded, ServerUnavailable
from face_client.faces import BatchAnswer, Faces
from face_client.images import ImageLike, pictures
from face_client.messages import (
    EMBEDDING_SIZE,
    EMBEDDINGS,
    LOGITS,
    Crops,
    Request,
    Response,
    Search,
    crop_requests,
    joined,
    joined_logits,
    rows_from,
    weights_from,
    weights_request,
)
from face_client.options import (
    DEFAULT_IN_FLIGHT,
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_S,
    DEFAULT_TLS,
    DEFAULT_URL,
    check_at_least,
    check_model,
    of_one_face,
    seconds,
)
from face_client.retry import Attempts, RetryBudget
from face_client.similarity import SAME_DISTANCE, Comparison, compare_faces
from face_client.tls import Tls, check_tls
from face_client.weights import Weights

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from face_client.options import DetectOptions

_READY_TIMEOUT_S = 5.0
_PROBE_INTERVAL_S = 0.2


class FaceClient:
    """Finds and recognises faces on a Triton server. Close it, or use `with`.

    One FaceClient serves any number of threads; one AsyncFaceClient any number of tasks of one event loop, the one in
    which it is used, or one after the other, and a task that is cancelled cancels its request on the server too.
    Both can be pickled for another process, and FaceClient goes on in one that is forked: they connect anew there.

    url: "host:port" of the server's gRPC endpoint; or several, with commas between or as a list; or "dns:///host:port"
        for all addresses of a name, as they come and go. Requests are spread over them, and go to the others when one
        is gone. None: the default.
    model: the name of the detector on the server.
    recognizer, embedder: those of the models that `recognize` and `embed` ask. Where the server has no FaceNet, they
        and what builds on them raise ModelNotLoaded.
    timeout: seconds for one image, retries included; None for no limit.
    retries: further attempts when the server cannot take a request (its queue is full, it restarts).
    retry_budget: how many of these a full queue may cause; may be shared by clients. See `RetryBudget`.
    tls: encrypt the connection; `Tls()` trusts the system's certificates. None: do not, whatever the environment says.
    transport: carries the requests instead of gRPC.

    Raises InvalidInput for an argument that cannot be.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = DEFAULT_URL,
        *,
        model: str = "mtcnn",
        recognizer: str = "face_recognition",
        embedder: str = "facenet",
        timeout: float | None = DEFAULT_TIMEOUT_S,
        retries: int = DEFAULT_RETRIES,
        tls: Tls | None = DEFAULT_TLS,
        transport: Transport | None = None,
        retry_budget: RetryBudget | None = None,
    ) -> None:
        endpoints = addresses(DEFAULT_URL if url is None else url)
        seconds("timeout", timeout)
        check_at_least("retries", retries, 0, whole=True)
        for field, name in (("model", model), ("recognizer", recognizer), ("embedder", embedder)):
            check_model(field, name)
        check_tls(tls)
        if retry_budget is not None and not isinstance(retry_budget, RetryBudget):
            raise InvalidInput(
                f"retry_budget is {retry_budget!r}; it must be a RetryBudget, or None for one of its own"
            )
        self.url = ",".join(endpoints)
        self.model = model
        self.recognizer = recognizer
        self.embedder = embedder
        self.timeout = timeout
        self.retries = retries
        self._tls = tls
        self._given = transport
        self._retry_budget = retry_budget or RetryBudget()
        self._closing = Closing()
        self._transport: Transport
        if transport is not None:
            self._transport = transport
        elif len(endpoints) == 1 and not endpoints[0].startswith(DNS):
            self._transport = GrpcTransport(endpoints[0], tls)
        else:
            self._transport = BalancedTransport(endpoints, tls)

    def __getstate__(self) -> dict[str, Any]:
        """What a client is made of, without its connection."""
        return {
            "url": self.url,
            "model": self.model,
            "recognizer": self.recognizer,
            "embedder": self.embedder,
            "timeout": self.timeout,
            "retries": self.retries,
            "tls": self._tls,
            "transport": self._given,
            "retry_budget": self._retry_budget,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        FaceClient.__init__(self, **state)

    def detect(
        self,
        image: ImageLike,
        *,
        crops: bool = False,
        timing: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Faces:
        """The faces in one image, in its own coordinates.

        image: a path, the bytes of a file, a file object, a Pillow image, or a uint8 array or tensor, [H, W, 3] RGB or
            [H, W] gray; see `images.ImageLike`.
        crops: also return a picture of each face.
        timing: also return how long each stage of the cascade took on the server, `Faces.timing`.
        max_side: make the image smaller before it is sent, if it is larger than this many pixels.
        options: min_face_size, threshold_pnet, threshold_rnet, threshold_onet, factor, max_faces,
            selection, image_size, margin, align, rotations, clip; see `options.PARAMETERS`. What is not given, the
            server decides.

        Raises FaceError (see `face_client.errors`), OSError for a path that cannot be read.
        """
        return self._find(Search.of(self.model, crops, max_side, options, timing=timing), image)

    def detect_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = False,
        timing: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Iterator[Faces]:
        """The faces of each image, in order. It ends at the first image that fails, whose error it raises in its turn.

        images: of any number, kind and size, also from a generator. AsyncFaceClient takes async iterables as well; a
            plain one it reads on the event loop.
        in_flight: so many requests are open at a time; the server gathers them into batches.
        The other arguments and the errors are those of `detect`.
        """
        search = Search.of(self.model, crops, max_side, options, timing=timing)
        return map_in_order(partial(self._find, search), pictures(images), in_flight)

    def detect_each(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = False,
        timing: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]:
        """`detect_batch` that goes on: for an image that fails, its FaceError or OSError in the place of its faces."""
        search = Search.of(self.model, crops, max_side, options, timing=timing)
        return map_in_order(partial(self._find_or_say_why, search), pictures(images), in_flight)

    def recognize(
        self,
        image: ImageLike,
        *,
        crops: bool = False,
        timing: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Faces:
        """The faces in one image, as `detect` gives them, with `Faces.embeddings` [N, 512].

        Arguments and errors are those of `detect`. FaceNet sees each face as `margin` and `align` say, in 160x160
        pixels; `image_size` is that of the crops that come back.
        """
        return self._find(Search.of(self.recognizer, crops, max_side, options, embeddings=True, timing=timing), image)

    def recognize_batch(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = False,
        timing: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Iterator[Faces]:
        """`recognize` for each image, in order; arguments and errors are those of `detect_batch`."""
        search = Search.of(self.recognizer, crops, max_side, options, embeddings=True, timing=timing)
        return map_in_order(partial(self._find, search), pictures(images), in_flight)

    def recognize_each(
        self,
        images: Items[ImageLike],
        *,
        crops: bool = False,
        timing: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]:
        """`recognize_batch` that goes on; see `detect_each`."""
        search = Search.of(self.recognizer, crops, max_side, options, embeddings=True, timing=timing)
        return map_in_order(partial(self._find_or_say_why, search), pictures(images), in_flight)

    def embed(self, crops: Crops) -> NDArray[np.float32]:
        """FaceNet's embeddings of face crops, rows of length 1: float32 [N, 512].

        crops: RGB pixels, uint8 [N, 160, 160, 3] or an iterable of [160, 160, 3]; any number, also none.
        Raises FaceError (see `face_client.errors`).
        """
        return joined(self._rows(crops, EMBEDDINGS), EMBEDDING_SIZE)

    def classify(self, crops: Crops) -> NDArray[np.float32]:
        """FaceNet's logits for face crops, one column a person it was trained on: float32 [N, K].

        K is 8,631 with the weights of VGGFace2 and 10,575 with those of CASIA-WebFace. crops: as for `embed`; of none,
        K is 0. Raises UnfitWeights where the server's weights have no classifier.
        """
        return joined_logits(self._rows(crops, LOGITS), self.embedder)

    def weights(self) -> Weights:
        """What FaceNet's weights are now: their name, their SHA-256, and whether they are random.

        A server may be given others later: `Faces.weights` has those that gave the embeddings beside it.
        """
        request = weights_request(self.embedder)
        return weights_from(request, self._ask(request))

    def compare(
        self,
        a: ImageLike,
        b: ImageLike,
        *,
        threshold: float = SAME_DISTANCE,
        random_weights: bool = False,
        max_side: int | None = None,
        **options: Unpack[DetectOptions],
    ) -> Comparison:
        """Whether the largest face of one image and that of another are one person's.

        threshold: Euclidean distance below which they are; see `similarity.SAME_DISTANCE` for where it comes from.
        random_weights: compare also where the server's FaceNet was never trained, and tells nobody apart.
        options: as for `detect`; another `selection` takes another face of each.
        Raises NoFace where an image shows none, UnfitWeights for random weights, and whatever `recognize` raises.
        """
        check_at_least("threshold", threshold, 0)
        answers = self.recognize_batch([a, b], max_side=max_side, in_flight=2, **of_one_face(options))
        first, second = list(answers)
        return compare_faces(first, second, threshold, random_weights=random_weights)

    def is_ready(self, model: str | None = None) -> bool:
        """Whether the server answers and a model takes requests: the detector if no other is named."""
        try:
            self.check_ready(model)
        except FaceError:
            return False
        return True

    def check_ready(self, model: str | None = None) -> None:
        """`is_ready` that says why not.

        Raises ModelNotLoaded where the server answers and the model takes no requests, ServerUnavailable or
        DeadlineExceeded where it does not answer, with what gRPC says and the likely cause.
        """
        name = model or self.model
        timeout = min(seconds("timeout", self.timeout), _READY_TIMEOUT_S)
        if not self._transport.is_ready(name, timeout):
            raise ModelNotLoaded(f"the server at {self.url} answers, and its model {name!r} is not ready")

    def wait_ready(self, timeout: float | None = 60.0, model: str | None = None) -> None:
        """Return when a model is ready, the detector if no other is named.

        timeout: in seconds; None for no limit.
        Raises ServerUnavailable when it is not ready after that time, Cancelled when the client is closed.
        """
        limit = seconds("timeout", timeout)
        deadline = time.monotonic() + limit
        while True:
            try:
                return self.check_ready(model)
            except FaceError as error:
                if time.monotonic() >= deadline:
                    name = model or self.model
                    raise ServerUnavailable(
                        f"model {name!r} at {self.url} was not ready within {limit:g} s: {error}"
                    ) from error
            self._pause(_PROBE_INTERVAL_S)

    def close(self) -> None:
        """End the connection; calls that are open are given up, and raise Cancelled."""
        self._closing.set()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _find(self, search: Search, image: ImageLike) -> Faces:
        asked = in_thread(search.request, image)
        return asked.faces(self._ask(asked.request))

    def _find_or_say_why(self, search: Search, image: ImageLike) -> BatchAnswer:
        try:
            return self._find(search, image)
        except (FaceError, OSError) as error:
            return error

    def _rows(self, crops: Crops, output: str) -> list[NDArray[np.float32]]:
        """An output of FaceNet for each batch of crops."""
        requests = crop_requests(self.embedder, crops, output)
        return list(map_in_order(self._ask_for_rows, requests, DEFAULT_IN_FLIGHT))

    def _ask_for_rows(self, request: Request) -> NDArray[np.float32]:
        return rows_from(request, self._ask(request))

    def _ask(self, request: Request) -> Response:
        """The server's answer, within the client's timeout and retries."""
        attempts = Attempts(seconds("timeout", self.timeout), self.retries, self._retry_budget)
        try:
            while True:
                left = attempts.left()
                try:
                    return self._transport.infer(request, left)
                except ServerUnavailable as error:
                    pause = attempts.pause(error)
                    if pause is None:
                        raise
                self._pause(pause)
        except FaceError as error:
            error.request_id = request.id
            raise

    def _pause(self, seconds: float) -> None:
        if self._closing.wait(seconds):
            raise Cancelled("the client was closed before the answer came")
