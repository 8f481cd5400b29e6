"""Who is measured: anything that takes a picture and says how long it took."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_bench.faces import FoundFaces
from face_bench.metrics import Metrics, scrape
from face_bench.peers.worker import Worker
from face_bench.pictures import Picture
from face_client import FaceClient

RAW = "ours, raw"
JPEG = "ours, JPEG"
OURS = (RAW, JPEG)


@dataclass(frozen=True)
class Measured:
    """One detection. counters: what the server's metrics grew by meanwhile; None for a peer."""

    seconds: float
    faces: FoundFaces
    counters: Metrics | None = None


class Contender(Protocol):
    name: str

    def detect(self, picture: Picture) -> Measured:
        """Detects once, on the clock."""


class Ours:
    """Our client and server, the whole way: client, gRPC, cascade, answer. The client's wall clock.

    The server's counters are read before and after, off the clock, so that the stages reported are those of the
    very requests whose latency is reported.
    """

    def __init__(self, name: str, client: FaceClient, metrics_url: str) -> None:
        self.name = name
        self._client = client
        self._metrics_url = metrics_url
        self._input: Callable[[Picture], NDArray[np.uint8] | bytes] = (
            (lambda picture: picture.pixels) if name == RAW else (lambda picture: picture.jpeg)
        )

    def detect(self, picture: Picture) -> Measured:
        image = self._input(picture)
        before = scrape(self._metrics_url)
        started = time.perf_counter()
        faces = self._client.detect(image)
        seconds = time.perf_counter() - started
        counters = scrape(self._metrics_url).since(before)
        return Measured(seconds, FoundFaces.of_client(faces), counters)


class InProcess:
    """A peer in its own process, handed the decoded array; only its own call is on the clock."""

    def __init__(self, worker: Worker) -> None:
        self.name = worker.name
        self._worker = worker

    def detect(self, picture: Picture) -> Measured:
        return Measured(*self._worker.detect(picture.pixels))

    def detect_decoded(self, picture: Picture) -> FoundFaces:
        """What it finds in the pixels of the JPEG file, to compare with what we find in that file."""
        return self._worker.detect(picture.decoded)[1]
