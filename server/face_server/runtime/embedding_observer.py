"""What an instance of `face_embeddings` tells of each execution: metrics, and a line in the log for what failed."""

from collections.abc import Sequence
from typing import Any

from face_server.runtime.families import Counter, Histogram
from face_server.runtime.log import Log, request_id
from face_server.runtime.process import ProcessMetrics
from face_server.runtime.refusals import CANCELLED

NO_FACENET = "no_facenet"
NETWORK = "network"
INPUT = "input"

_FACES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


class EmbeddingObserver:
    """Of one instance."""

    def __init__(self, worker: str) -> None:
        self._log = Log("face_embeddings", worker)
        self._process = ProcessMetrics(worker)
        self._batch = Histogram("face_embeddings_batch_faces", "Faces embedded in one execution", _FACES)
        self._failed = Counter(
            "face_embeddings_failed_requests_total",
            "Requests answered with an error",
            "reason",
            (NO_FACENET, NETWORK, INPUT, CANCELLED),
        )

    def embedded(self, faces: int) -> None:
        """One batch was answered."""
        self._batch.observe(faces)
        self._process.update()

    def failed(self, requests: Sequence[Any], reason: str, message: str) -> None:
        """These requests got an error."""
        self._failed.add(len(requests), reason)
        self._log.error("refused", reason=reason, message=message, ids=[request_id(r) for r in requests])
