"""A frame of a video, the faces in it, and what a run over a video comes to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from face_client.errors import FaceError
from face_client.faces import Faces

if TYPE_CHECKING:
    import av

# Of videos. A request there is a whole picture of pixels, and holds `stride` frames back; two of them keep two cores
# busy, four a server that is further away.
VIDEO_IN_FLIGHT = 4
# A camera's first frame can be decoded from its first key frame on; many send one every ten seconds only.
READ_TIMEOUT_S = 20.0
MAX_AGE = 30
MIN_HITS = 1
LOOK_EVERY = 5
VOTES = 2
# x264's fastest, because the machine has better to do: files are two to three times those of "veryfast".
PRESET = "ultrafast"
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
# x264's own.
CRF = 23
MAX_CRF = 51

SOUND_IS_CUT = "the sound of the copy ends early: the rest of it is damaged"

VIDEO_SUFFIXES = frozenset(
    (
        *(".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".asf"),
        *(".flv", ".f4v", ".3gp", ".3g2", ".vob", ".mpe", ".m2v", ".ogv", ".mxf", ".dv", ".divx"),
    )
)
"""What a folder is searched for where it may have videos; FFmpeg reads more."""


@dataclass(frozen=True, eq=False)
class Frame:
    """index: from 0. time: seconds since the first frame. picture: 4:2:0 (yuv420p), upright."""

    index: int
    time: float
    picture: av.VideoFrame

    def rgb(self) -> NDArray[np.uint8]:
        """The picture as uint8 [H, W, 3] RGB."""
        # PyAV 15 does not look by itself whether black is 0 or 16.
        return cast(
            "NDArray[np.uint8]", self.picture.to_ndarray(format="rgb24", src_color_range=self.picture.color_range)
        )


@dataclass(frozen=True)
class Name:
    """Whose a track is. votes: for this person, of all looks at the track; see `face_tools.video.naming`."""

    person: str
    collection: str
    votes: int
    looks: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"person": self.person, "collection": self.collection, "votes": self.votes, "looks": self.looks}


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of one frame.

    faces: in pixels of `frame`.
    tracks: the number of each face, from 1, the same in every frame; None until it has one.
    detected: False where the faces were not looked for in this frame but carried from its neighbours.
    error: why the server gave no answer for this frame, where one was asked for; it has no faces then.
    scene: the number of the scene that the frame belongs to, from 1.
    names: whose each face is, as far as it is known by then; None where no gallery was asked.
    """

    frame: Frame
    faces: Faces
    tracks: tuple[int | None, ...]
    detected: bool
    error: FaceError | None = None
    scene: int = 1
    names: tuple[Name | None, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """A line of the JSON file: the keys of `Faces.to_dict`, and frame, time, detected, track and person."""
        answer = self.faces.to_dict()
        faces = [{"track": track, **face} for track, face in zip(self.tracks, answer.pop("faces"))]
        for face, name in zip(faces, self.names or ()):
            face.update({"person": None} if name is None else name.to_dict())
        refusal = {} if self.error is None else {"error": str(self.error)}
        return {
            "frame": self.frame.index,
            "time": round(self.frame.time, 6),
            "detected": self.detected,
            **refusal,
            **answer,
            "faces": faces,
        }


def plane_of(picture: av.VideoFrame, number: int) -> NDArray[np.uint8]:
    """The plane itself, not a copy: [H, W], or half of both; its rows are longer in memory."""
    plane = picture.planes[number]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width]


def no_faces(frame: Frame) -> Faces:
    """An answer without a face, for a frame that nothing is known of."""
    return Faces(
        boxes=np.zeros((0, 4), np.float32),
        probabilities=np.zeros(0, np.float32),
        landmarks=np.zeros((0, 5, 2), np.float32),
        width=frame.picture.width,
        height=frame.picture.height,
    )


class Summary:
    """Counts frames, and their rate since it was made.

    frames, detected, refused: of all, those sent to the server and answered, those sent and refused.
    tracks: numbers given. candidates_dropped: see `Faces`.
    """

    def __init__(self) -> None:
        self.frames = self.detected = self.refused = self.tracks = self.candidates_dropped = 0
        self._start = time.monotonic()

    def add(self, answer: FrameFaces) -> None:
        """Count a frame."""
        self.frames += 1
        self.detected += answer.detected
        self.refused += answer.error is not None
        self.tracks = max(self.tracks, *(track or 0 for track in answer.tracks), 0)
        if answer.detected:
            self.candidates_dropped += answer.faces.candidates_dropped

    def __str__(self) -> str:
        seconds = time.monotonic() - self._start
        refused = f", {self.refused} refused" if self.refused else ""
        return (
            f"{self.frames} frames, {self.detected} of them detected{refused}, {self.tracks} tracks, "
            f"{seconds:.1f} s, {self.frames / seconds:.1f} FPS"
        )
