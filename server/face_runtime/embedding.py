"""FaceNet on the faces of many images together, and what an instance of `face_embeddings` tells of it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_cascade.calls import Limits
from face_cascade.networks import EMBEDDING_SIZE, FACENET
from face_runtime.answers import CANCELLED
from face_runtime.bls import ask
from face_runtime.log import Log, request_id
from face_runtime.metrics import Counter, Histogram, ProcessMetrics

# FaceNet on the faces of many images together.


Crops = NDArray[np.uint8]
Embeddings = NDArray[np.float32]


def embed(images: Sequence[Crops], check: Callable[[], None] = lambda: None) -> list[Embeddings]:
    """The embeddings of each image's crops: UINT8 [Nᵢ,160,160,3] → FP32 [Nᵢ,512].

    The crops of all images go together, in equal batches that FaceNet takes. Before each of them, `check` may raise.

    Raises:
        NetworkError: FaceNet did not answer.
    """
    if not images:
        return []
    crops = np.concatenate(images)
    limits = Limits()
    shares = limits.shares(len(crops), limits.facenet)
    # The logits stay where they are: thousands a face.
    batches: list[Embeddings] = []
    for share in shares:
        check()
        batches += ask(FACENET, crops[share], FACENET.outputs[:1])
    embeddings = np.concatenate([np.empty((0, EMBEDDING_SIZE), np.float32), *batches])
    return np.split(embeddings, np.cumsum([len(image) for image in images])[:-1])


def real_rows(stacked: Crops, counts: NDArray[np.integer]) -> list[Crops]:
    """The first `counts[i]` rows of each `stacked[i]`: what `responses.rows` filled up, undone."""
    return [image[:count] for image, count in zip(stacked, counts, strict=True)]


# What an instance of `face_embeddings` tells of each execution: metrics, and a line in the log for what failed.


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
