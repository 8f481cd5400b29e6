"""The answer for one image, as arrays and as one object a face.

Coordinates are pixels of the upright image, origin top left, floats as the networks give them: a box may
pass the border.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from face_client.errors import FaceError
from face_client.weights import Weights

Point = tuple[float, float]


class Landmarks(NamedTuple):
    """Five points (x, y) in the order of the networks; left and right as the viewer sees them."""

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point


@dataclass(frozen=True, eq=False)
class Face:
    """One face. box: float32 [4], x1, y1, x2, y2. crop: uint8 [S, S, 3] RGB, where crops were asked for.

    embedding: float32 [512] of length 1, where the face was recognised. angle: by how many degrees it lies turned
    clockwise, 0, 90, 180 or 270, where `rotations` were asked for.
    """

    box: NDArray[np.float32]
    probability: float
    landmarks: Landmarks
    crop: NDArray[np.uint8] | None = None
    embedding: NDArray[np.float32] | None = None
    angle: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON: box, probability, landmarks by name; angle and embedding, if there are."""
        document: dict[str, Any] = {
            "box": [_shortest(value) for value in self.box],
            "probability": self.probability,
            "landmarks": {name: list(point) for name, point in self.landmarks._asdict().items()},
        }
        if self.angle is not None:
            document["angle"] = self.angle
        if self.embedding is not None:
            document["embedding"] = [_shortest(value) for value in self.embedding]
        return document


@dataclass(frozen=True, eq=False)
class Faces(Sequence[Face]):
    """The faces of one image, in the order of the answer; row i of every array is face i.

    boxes [N, 4] float32, probabilities [N] float32, landmarks [N, 5, 2] float32,
    crops [N, S, S, 3] uint8 RGB, only where asked for. embeddings [N, 512] float32, only from `recognize`.
    angles [N] int32, only with `rotations`: `np.rot90(image, angle // 90)` sets the face upright, as its crop is.
    width, height: of the upright image, in pixels.
    candidates_dropped: how many candidates fell to `max_candidates`, 0 without it; over 0, faces may be missing.
    weights: of the FaceNet that gave the embeddings; None without any.
    timing: only where asked for: seconds on the server's clock in each stage of the cascade, and `images`, how many
    shared them.
    """

    boxes: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    width: int
    height: int
    crops: NDArray[np.uint8] | None = None
    candidates_dropped: int = 0
    embeddings: NDArray[np.float32] | None = None
    angles: NDArray[np.int32] | None = None
    weights: Weights | None = None
    timing: Mapping[str, float] | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Any) -> Any:
        """The face at an index, or a list of faces for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Face(
            box=self.boxes[index],
            probability=_shortest(self.probabilities[index]),
            landmarks=Landmarks(*((_shortest(x), _shortest(y)) for x, y in self.landmarks[index])),
            crop=None if self.crops is None else self.crops[index],
            embedding=None if self.embeddings is None else self.embeddings[index],
            angle=None if self.angles is None else int(self.angles[index]),
        )

    def __iter__(self) -> Iterator[Face]:
        return (self[i] for i in range(len(self)))

    def clip(self) -> NDArray[np.float32]:
        """The boxes [N, 4] cut at the border: x within 0…width, y within 0…height."""
        limits = np.array([self.width, self.height, self.width, self.height], np.float32)
        return np.clip(self.boxes, np.float32(0), limits)

    def resized(self, width: int, height: int) -> Faces:
        """The same faces in the same picture at another size."""
        scale = np.array([width / self.width, height / self.height], np.float32)
        return replace(
            self,
            boxes=self.boxes * np.tile(scale, 2),
            landmarks=self.landmarks * scale,
            width=width,
            height=height,
        )

    def to_dict(self) -> dict[str, Any]:
        """What `faces detect --json` prints, without the image's name: width, height, faces; weights, of embeddings."""
        document = {"width": self.width, "height": self.height, "faces": [face.to_dict() for face in self]}
        return document if self.weights is None else {**document, "weights": self.weights.to_dict()}


BatchAnswer = Union[Faces, FaceError, OSError]
"""What `detect_each` gives for an image: its faces, or why there are none. OSError: of a path that cannot be read."""


def _shortest(value: np.float32) -> float:
    """The float with the fewest digits that is still this float32: 0.9, not 0.8999999761581421."""
    return float(str(value))
