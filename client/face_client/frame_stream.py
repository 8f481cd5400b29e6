"""Frames over one gRPC stream: the part of FaceClient that saves a call a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Callable, Literal, overload

from face_client.batches import BatchAnswer, OnError, answers_in_order, check_in_flight
from face_client.errors import FaceError
from face_client.faces import Faces
from face_client.messages import ImageLike, Request, Response, detection_request, faces_from, prepare
from face_client.options import DEFAULT_IN_FLIGHT, request_parameters
from face_client.streaming import RefusedInStream, Stream
from face_client.transport import Transport

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client.options import DetectOptions


class FrameStream(ABC):
    """Detection over a stream."""

    model: str
    timeout: float
    _transport: Transport

    @overload
    def stream(
        self,
        frames: Iterable[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: Literal["raise"] = ...,
        **options: Unpack[DetectOptions],
    ) -> Iterator[Faces]: ...

    @overload
    def stream(
        self,
        frames: Iterable[ImageLike],
        *,
        crops: bool = ...,
        max_side: int | None = ...,
        in_flight: int = ...,
        on_error: OnError,
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]: ...

    def stream(
        self,
        frames: Iterable[ImageLike],
        *,
        crops: bool = False,
        max_side: int | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        on_error: OnError = "raise",
        **options: Unpack[DetectOptions],
    ) -> Iterator[BatchAnswer]:
        """`detect_batch` over one gRPC stream, to one server: the faces of each frame, in order.

        A frame that the server refuses is asked about once more outside of the stream, which says what is wrong with
        it, and the stream goes on. Raises ServerUnavailable where the stream breaks, also with on_error="return": the
        frames that were on their way have no answer.
        The arguments are those of `detect_batch`; docs/client.md says when this is worth it.
        """
        check_in_flight(in_flight)
        parameters = request_parameters(options)

        def find_over(stream: Stream) -> Callable[[ImageLike], Faces]:
            def find(frame: ImageLike) -> Faces:
                prepared = prepare(frame, max_side)
                request = detection_request(self.model, prepared, parameters, crops)
                return faces_from(request, self._ask_over(stream, request), prepared)

            return find

        return self._answers(find_over, frames, in_flight, on_error)

    def _answers(
        self,
        find_over: Callable[[Stream], Callable[[ImageLike], Faces]],
        frames: Iterable[ImageLike],
        in_flight: int,
        on_error: OnError,
    ) -> Iterator[BatchAnswer]:
        stream = self._transport.open_stream()
        try:
            for answer in answers_in_order(find_over(stream), frames, in_flight, on_error):
                if isinstance(answer, FaceError) and stream.broken is not None:
                    raise stream.broken
                yield answer
        finally:
            stream.close()

    def _ask_over(self, stream: Stream, request: Request) -> Response:
        try:
            return stream.infer(request, self.timeout)
        except RefusedInStream:
            return self._ask(request)
        except FaceError as error:
            error.request_id = request.id
            raise

    @abstractmethod
    def _ask(self, request: Request) -> Response:
        """The server's answer outside of a stream, within the client's timeout and retries."""
