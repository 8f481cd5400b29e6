"""A frame of a video, and the faces in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from face_client.errors import FaceError
from face_client.faces import Faces


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


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The faces of one frame.

    faces: in pixels of `frame`.
    tracks: the number of each face, from 1, the same in every frame; None until it has one.
    detected: False where the faces were not looked for in this frame but carried from its neighbours.
    error: why the server gave no answer for this frame, where one was asked for; it has no faces then.
    """

    frame: Frame
    faces: Faces
    tracks: tuple[int | None, ...]
    detected: bool
    error: FaceError | None = None

    def to_dict(self) -> dict[str, Any]:
        """A line of the JSON file: the keys of `Faces.to_dict`, and frame, time, detected and track."""
        answer = self.faces.to_dict()
        faces = [{"track": track, **face} for track, face in zip(self.tracks, answer.pop("faces"))]
        refusal = {} if self.error is None else {"error": str(self.error)}
        return {
            "frame": self.frame.index,
            "time": round(self.frame.time, 6),
            "detected": self.detected,
            **refusal,
            **answer,
            "faces": faces,
        }


def no_faces(frame: Frame) -> Faces:
    """An answer without a face, for a frame that nothing is known of."""
    return Faces(
        boxes=np.zeros((0, 4), np.float32),
        probabilities=np.zeros(0, np.float32),
        landmarks=np.zeros((0, 5, 2), np.float32),
        width=frame.picture.width,
        height=frame.picture.height,
    )
