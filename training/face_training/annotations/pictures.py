"""An annotated picture, its mirror image, and the line of JSON that it is in an index."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

MIRRORED_POINTS = [1, 0, 2, 4, 3]
"""Left and right change places: eyes, nose, corners of the mouth."""


@dataclass(frozen=True, eq=False)
class AnnotatedPicture:
    """Faces of one picture, in pixels of it, origin top left.

    faces FP32 [G,4] x1,y1,x2,y2 with x2 = x1 + width; landmarks FP32 [G,5,2], NaN where a face has none: left eye,
    right eye, nose, left and right mouth corner as the viewer sees them. ignored FP32 [I,4]: faces to learn nothing
    from, too small or marked invalid. complete: every face is annotated, so that the rest is no face.
    """

    path: Path
    width: int
    height: int
    faces: Float32
    landmarks: Float32
    ignored: Float32 = field(default_factory=lambda: np.empty((0, 4), np.float32))
    complete: bool = True

    def mirrored(self) -> "AnnotatedPicture":
        """The annotation of the picture with left and right exchanged."""
        points = self.landmarks[:, MIRRORED_POINTS].copy()
        points[..., 0] = self.width - points[..., 0]
        return AnnotatedPicture(
            self.path,
            self.width,
            self.height,
            _mirrored_boxes(self.faces, self.width),
            points,
            _mirrored_boxes(self.ignored, self.width),
            self.complete,
        )

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads; NaN landmarks become null."""
        return {
            "path": str(self.path),
            "width": self.width,
            "height": self.height,
            "faces": self.faces.tolist(),
            "landmarks": [None if np.isnan(points).any() else points.tolist() for points in self.landmarks],
            "ignored": self.ignored.tolist(),
            "complete": self.complete,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "AnnotatedPicture":
        """Raises KeyError, TypeError, ValueError or OverflowError where something is missing or of another kind."""
        points = [no_landmarks(1)[0] if p is None else p for p in values["landmarks"]]
        picture = cls(
            Path(values["path"]),
            int(values["width"]),
            int(values["height"]),
            boxes(values["faces"]),
            np.array(points, np.float32).reshape(-1, 5, 2),
            boxes(values["ignored"]),
            bool(values["complete"]),
        )
        if len(picture.landmarks) != len(picture.faces):
            raise ValueError(f"{len(picture.landmarks)} landmarks for {len(picture.faces)} faces")
        if not (np.isfinite(picture.faces).all() and np.isfinite(picture.ignored).all()):
            raise ValueError("a box is not finite")
        return picture


def boxes(values: Any) -> Float32:
    """FP32 [N,4], also of nothing."""
    return np.array(values, np.float32).reshape(-1, 4)


def no_landmarks(count: int) -> Float32:
    """FP32 [N,5,2] of NaN."""
    return np.full((count, 5, 2), np.nan, np.float32)


def _mirrored_boxes(found: Float32, width: int) -> Float32:
    return np.stack([width - found[:, 2], found[:, 1], width - found[:, 0], found[:, 3]], axis=1)
