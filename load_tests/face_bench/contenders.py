"""Who is measured, what each finds in a picture, and whether two of them found the same faces."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_bench.metrics import Metrics, scrape
from face_bench.pictures import Picture
from face_client import FaceClient
from face_tools.matching import match

OURS_RAW = "ours, raw"
OURS_JPEG = "ours, JPEG"
OURS = (OURS_RAW, OURS_JPEG)

# The server counts an execution some milliseconds after it has answered.
_COUNTED_S = 0.05

MATCH_IOU = 0.9
"""Overlap from which two boxes are the same face."""


class PeerError(Exception):
    """A peer cannot be installed, started or asked; the benchmark goes on without it."""


@dataclass(frozen=True, eq=False)
class FoundFaces:
    """N faces: boxes [N,4] x1,y1,x2,y2; probabilities [N]; landmarks [N,5,2] in the order of our contract."""

    boxes: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    @classmethod
    def of(cls, boxes: object, probabilities: object, landmarks: object) -> "FoundFaces":
        """From anything that NumPy reads, empty lists included."""
        return cls(
            np.asarray(boxes, np.float64).reshape(-1, 4),
            np.asarray(probabilities, np.float64).reshape(-1),
            np.asarray(landmarks, np.float64).reshape(-1, 5, 2),
        )

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True)
class Measured:
    """One detection. counters: what the server's metrics grew by meanwhile; None for a peer."""

    seconds: float
    faces: FoundFaces
    counters: Metrics | None = None


class Contender(Protocol):
    name: str

    def detect(self, picture: Picture) -> Measured:
        """Detects once, on the clock. Raises PeerError where it cannot go on."""


class Ours:
    """Our client and server, the whole way: client, gRPC, cascade, answer. The client's wall clock.

    The server's counters are read before and after, off the clock, so that the stages reported are those of the
    very requests whose latency is reported.
    """

    def __init__(self, name: str, client: FaceClient, metrics_url: str) -> None:
        """name: one of OURS."""
        self.name = name
        self._client = client
        self._metrics_url = metrics_url

    def detect(self, picture: Picture) -> Measured:
        image = picture.pixels if self.name == OURS_RAW else picture.jpeg
        before = scrape(self._metrics_url)
        started = time.perf_counter()
        faces = self._client.detect(image)
        seconds = time.perf_counter() - started
        time.sleep(_COUNTED_S)
        counters = scrape(self._metrics_url).since(before)
        return Measured(seconds, FoundFaces.of(faces.boxes, faces.probabilities, faces.landmarks), counters)


@dataclass(frozen=True)
class Unmatched:
    """A face that only one side found."""

    found_by: str
    box: tuple[float, ...]
    probability: float


@dataclass(frozen=True)
class Agreement:
    """One contender's faces against the reference's in one picture. Distances in pixels, None where none matched."""

    picture: str
    contender: str
    reference: str
    matched: int
    largest_landmark_distance: float | None
    unmatched: tuple[Unmatched, ...]


def compare(picture: str, contender: str, found: FoundFaces, reference: str, expected: FoundFaces) -> Agreement:
    """Pairs the faces of both sides, best overlap first, and lists those left over."""
    pairs = match(found.boxes, expected.boxes, MATCH_IOU)
    distances = [np.linalg.norm(found.landmarks[i] - expected.landmarks[j], axis=1).max() for i, j in pairs]
    return Agreement(
        picture,
        contender,
        reference,
        len(pairs),
        float(max(distances)) if distances else None,
        (
            *_left_over(contender, found, {i for i, _ in pairs}),
            *_left_over(reference, expected, {j for _, j in pairs}),
        ),
    )


def _left_over(found_by: str, faces: FoundFaces, used: set[int]) -> list[Unmatched]:
    return [
        Unmatched(found_by, tuple(map(float, faces.boxes[i])), float(faces.probabilities[i]))
        for i in range(len(faces))
        if i not in used
    ]
