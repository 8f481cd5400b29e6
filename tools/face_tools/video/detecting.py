"""Frames → faces: every Nth frame to the server, many at a time, and the frames between carried along.

    read ──▶ every Nth ──▶ client.detect_batch (in flight) ──▶ tracks ──▶ faces of the frames between

The idea of looking at every Nth frame is that of "FastMTCNN" in facenet-pytorch's example notebooks, which holds
the boxes still meanwhile.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Callable, Literal, Union

import numpy as np
from numpy.typing import NDArray

from face_client.errors import InvalidInput, VideoError
from face_client.faces import Faces
from face_tools.video.frames import VIDEO_IN_FLIGHT, Frame, FrameFaces, no_faces
from face_tools.video.looks import Scenes, look
from face_tools.video.reading import VideoReader
from face_tools.video.tracking import Tracker, between

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from face_client import FaceClient
    from face_client.faces import BatchAnswer
    from face_client.options import DetectOptions


VideoSource = Union[str, "os.PathLike[str]", Iterable[Frame]]
Ask = Callable[[Iterable[NDArray[np.uint8]]], "Iterator[BatchAnswer]"]


def detect_video(
    client: FaceClient,
    source: VideoSource,
    *,
    stride: int = 1,
    carry: Literal["interpolate", "hold"] = "interpolate",
    tracker: Tracker | None = None,
    in_flight: int = VIDEO_IN_FLIGHT,
    max_side: int | None = None,
    recognize: bool = False,
    crops: bool = False,
    **options: Unpack[DetectOptions],
) -> Iterator[FrameFaces]:
    """The faces of every frame, in order.

    source: a file, or the frames themselves, such as a `VideoReader`; they may be endless.
    stride: every stride-th frame is sent to the server, counted from the first one of each scene, which is sent too.
    carry: how the frames between get their faces: "interpolate" moves boxes, landmarks and probabilities in a
        straight line to the next detected frame, "hold" leaves them as they were.
    tracker: numbers the faces; the default is `Tracker()`. One that was used before goes on counting.
    in_flight: requests open at a time. No more than (in_flight + 1) * stride frames are held in memory.
    max_side, options: see `FaceClient.detect`.
    recognize, crops: with the embeddings, and pictures, of the faces in the frames that are sent.

    A frame that the server refuses has its `error` set and no faces, like those after it up to the next one that
    is answered. Raises InvalidInput for the arguments, and VideoError where the source cannot be read, after all
    frames before that.
    """
    if stride < 1:
        raise InvalidInput(f"stride is {stride}; it must be at least 1")
    if carry not in ("interpolate", "hold"):
        raise InvalidInput(f"carry is {carry!r}; it must be 'interpolate' or 'hold'")
    each = client.recognize_each if recognize else client.detect_each
    ask = partial(each, crops=crops, max_side=max_side, in_flight=in_flight, **options)
    return _detect(ask, source, stride, carry == "hold", tracker or Tracker())


def _detect(ask: Ask, source: VideoSource, stride: int, hold: bool, tracker: Tracker) -> Iterator[FrameFaces]:
    if isinstance(source, (str, os.PathLike)):
        with VideoReader(source) as video:
            yield from _detect(ask, video, stride, hold, tracker)
        return
    frames = _EveryNth(source, stride)
    answers = ask(frames)
    last: FrameFaces | None = None
    for answer in answers:
        passed, frame, scene = frames.up_to_next_sent()
        if isinstance(answer, Faces):
            looks = [look(frame, landmarks) for landmarks in answer.landmarks]
            tracks = tracker.update(frame.index, answer.boxes, looks, scene)
            current = FrameFaces(frame, answer, tuple(tracks), detected=True, scene=scene)
        elif isinstance(answer, OSError):
            raise answer
        else:
            current = FrameFaces(frame, no_faces(frame), (), detected=False, error=answer, scene=scene)
        yield from _carried(passed, last, None if hold else current)
        yield current
        last = current
    yield from _carried(frames.rest(), last, None)
    if frames.error is not None:
        raise frames.error


def _carried(frames: Iterable[Frame], last: FrameFaces | None, following: FrameFaces | None) -> Iterator[FrameFaces]:
    """The faces of frames between two that were sent; following: None where there is none to move towards."""
    for frame in frames:
        if last is None:
            yield FrameFaces(frame, no_faces(frame), (), detected=False)
            continue
        faces = last.faces
        if following is not None:
            share = (frame.time - last.frame.time) / max(following.frame.time - last.frame.time, 1e-9)
            faces = between(faces, last.tracks, following.faces, following.tracks, share)
        yield FrameFaces(frame, faces, last.tracks, detected=False, scene=last.scene)


class _EveryNth:
    """The pictures to send, [H, W, 3]; keeps all frames that were read until they are asked for.

    error: what ended the reading, if only Ctrl-C while a camera was silent. It is kept, so that the answers that are
    under way are given out first.
    """

    def __init__(self, frames: Iterable[Frame], stride: int) -> None:
        self.error: VideoError | KeyboardInterrupt | None = None
        self._frames = frames
        self._stride = stride
        self._scenes = Scenes()
        self._waiting: deque[tuple[int | None, Frame]] = deque()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        try:
            passed = 0
            for frame in self._frames:
                is_sent = self._scenes.is_new(frame) or passed + 1 >= self._stride
                self._waiting.append((self._scenes.count if is_sent else None, frame))
                passed = 0 if is_sent else passed + 1
                if is_sent:
                    yield frame.rgb()
        except (VideoError, KeyboardInterrupt) as error:
            self.error = error

    def up_to_next_sent(self) -> tuple[list[Frame], Frame, int]:
        """The frames before the next one that was sent, that one, and the number of its scene."""
        passed: list[Frame] = []
        while True:
            scene, frame = self._waiting.popleft()
            if scene is not None:
                return passed, frame, scene
            passed.append(frame)

    def rest(self) -> list[Frame]:
        """The frames after the last one that was sent."""
        frames = [frame for _, frame in self._waiting]
        self._waiting.clear()
        return frames
